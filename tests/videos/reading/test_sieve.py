"""Files that were cut, joined, paused or damaged: their frames are those that the decoder gives, wherever reading
begins."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.videos.clips import HERE, clip
from tests.videos.conftest import moving, write_video
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.colour import ToRGB
from twofold.videos.container import av, frames_of, opened, packets_of
from twofold.videos.reading import table as tables
from twofold.videos.reading.clips import Clips, even
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.sieve import sound_table
from twofold.videos.reading.store import VideoStore
from twofold.videos.reading.table import table_by_decoding, table_of
from twofold.videos.reading.video import Video
from twofold.videos.sampling import Chosen


def packets(name):
    """Of a film, in the order of decoding."""
    with opened(clip(name)) as (container, stream, _):
        return list(packets_of(container, stream))


def remuxed(path, name, change):
    """A film of which `change` makes each packet's (number, pts, dts, bytes) anew, or None to leave it out."""
    with opened(clip(name)) as (container, stream, _), av().open(str(path), "w") as out:
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(packets_of(container, stream)):
            made = change(number, packet.pts, packet.dts, bytes(packet))
            if made is None:
                continue
            new = av().Packet(made[2])
            new.stream, new.pts, new.dts, new.time_base = copy, made[0], made[1], packet.time_base
            new.is_keyframe = packet.is_keyframe
            out.mux(new)
    return str(path)


def pictures(file):
    """All frames of a plain decode, over damaged packets."""
    with opened(file) as (container, stream, _):
        found = [f for packet in packets_of(container, stream) for f in frames_of(stream.codec_context, packet)]
        found += frames_of(stream.codec_context, None)
    to_rgb = ToRGB()
    return [to_rgb(frame, frame.height, frame.width) for frame in found]


def agree(file):
    """Random access gives what a plain decode gives; the table."""
    expected = pictures(file)
    video = Video(file)
    assert len(video) == len(expected) > 0
    table = video.table
    for number in (len(video) - 1, 0, len(video) // 2, 1):
        assert np.array_equal(video.read([number])[0], expected[number]), number
    assert np.array_equal(video.whole(), expected)
    assert video.table is table
    return table


def test_a_stream_cut_in_the_middle_of_a_group_begins_where_the_decoder_begins(tmp_path):
    data = (HERE / "stream.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(data[len(data) // 3 // 188 * 188 :])
    assert len(table_of(str(tmp_path / "cut.ts"))) > len(sound_table(str(tmp_path / "cut.ts")))
    assert len(agree(str(tmp_path / "cut.ts")).starts) > 1


def test_a_cut_before_an_open_group_loses_the_frames_that_lean_on_the_one_before(tmp_path):
    begin = table_of(clip("open.mkv")).starts[1].packet
    file = remuxed(tmp_path / "cut.mkv", "open.mkv", lambda n, *rest: rest if n >= begin else None)
    table = agree(file)
    assert len(table) < len(table_of(file)) and table.stamps is not None


def test_streams_joined_in_the_middle_of_groups_keep_both_parts(tmp_path):
    data = (HERE / "stream.ts").read_bytes()
    half = data[len(data) // 3 // 188 * 188 :]
    for name, content in (("half.ts", half), ("joined.ts", half + half)):
        (tmp_path / name).write_bytes(content)
    one, both = Video(str(tmp_path / "half.ts")), Video(str(tmp_path / "joined.ts"))
    assert [tuple(s) for s in both.table.stretches] == [(0, len(one) - 1), (len(one), 2 * len(one) - 1)]
    assert np.array_equal(both.read([len(one) + 3, 3, len(one)]), one.read([3, 3, 0]))


def test_a_pause_in_a_group_is_a_seam_and_changes_no_frame(tmp_path):
    steps = sorted(p.pts for p in packets("plain.mp4"))
    pause = 20 * packets("plain.mp4")[0].time_base.denominator

    def later(number, pts, dts, data):
        return pts + pause * (pts >= steps[7]), dts + pause * (dts >= steps[7]), data

    file = remuxed(tmp_path / "pause.mp4", "plain.mp4", later)
    video, expected = Video(file), Video(clip("plain.mp4"))
    table = video.table
    assert [tuple(s) for s in table.stretches] == [(0, 6), (7, 49)] and len(table.recordings) == 1
    assert np.array_equal(video.read([30, 7, 6, 49]), expected.read([30, 7, 6, 49])) and video.table is table


def test_frames_many_seconds_apart_are_one_stretch(tmp_path):
    file = remuxed(tmp_path / "slow.mp4", "plain.mp4", lambda n, pts, dts, data: (200 * pts, 200 * dts, data))
    table = table_of(file)
    assert table.rate == pytest.approx(0.125) and len(table.stretches) == 1


@pytest.fixture
def damaged(tmp_path):
    """A film with one packet of rubbish, which gives no frame."""

    def spoil(number, pts, dts, data):
        return pts, dts, (bytes(len(data)) if number == 30 else data)

    (tmp_path / "damaged").mkdir()
    return remuxed(tmp_path / "damaged" / "a.mp4", "plain.mp4", spoil)


def test_a_damaged_film_loses_the_frame_and_keeps_its_times_and_starts(damaged):
    video = Video(damaged)
    before = video.table
    frames = video.whole()
    assert len(frames) == len(video) == len(pictures(damaged)) < len(before)
    assert video.table.stamps is not None and len(video.table.starts) == len(before.starts)
    assert video.table.times[-1] == before.times[-1] and np.all(np.diff(video.table.times) > 0)
    assert np.array_equal(video.read([len(video) - 1, 3]), frames[[-1, 3]])
    with pytest.raises(DecodeError, match="only 49 of 50 frames can be decoded"):
        video.read([len(before) - 1])
    with pytest.raises(IndexError):
        video.read([len(before)])


@pytest.mark.parametrize("memory", [0, None])
def test_clips_of_a_damaged_film_are_chosen_anew(damaged, tmp_path, memory):
    shutil.copy(clip("plain.mp4"), tmp_path / "damaged" / "b.mp4")
    store = VideoStore(open_source(str(tmp_path / "damaged")), 16, memory)
    clips = Clips(store, even(5, 10, 1), workers=2)
    for batch in clips.stream([torch.tensor([0, 1, 0])] * 2):
        assert batch.count.tolist() == [49, 50, 49]
    assert not clips.unreadable and len(store.table(0)) == 49


def test_a_film_without_one_whole_frame_says_so_each_time(tmp_path):
    file = remuxed(tmp_path / "a.mp4", "plain.mp4", lambda n, pts, dts, data: (pts, dts, bytes(len(data))))
    video = Video(file)
    for _ in range(3):
        with pytest.raises(DecodeError, match="no frame that can be decoded"):
            video.read([5])


def test_frames_are_counted_over_damaged_packets(tmp_path):
    data = bytearray((HERE / "reordered.avi").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    (tmp_path / "a.avi").write_bytes(data)
    table = table_by_decoding(str(tmp_path / "a.avi"))
    assert 40 < len(table) == len(pictures(str(tmp_path / "a.avi")))
    assert Video(str(tmp_path / "a.avi")).read([len(table) - 1]).shape == (1, 48, 48, 3)


def test_a_stream_that_begins_later_in_the_file_ends_nothing():
    class Growing:
        """A file of five packets, before the third of which PyAV meets a stream that it does not know."""

        def __init__(self):
            self.left = [SimpleNamespace(size=size) for size in (7, 7, 7, 0, 7)]
            self.met = False

        def demux(self, stream):
            while self.left:
                if len(self.left) == 3 and not self.met:
                    self.met = True
                    raise IndexError("list index out of range")
                yield self.left.pop(0)

    assert len(list(packets_of(Growing(), None))) == 4


def test_starts_are_looked_up_by_number():
    table = table_of(clip("plain.mp4"))
    frames = [start.frame for start in table.starts]
    for number in range(len(table)):
        assert table.start_for(number).frame == max(f for f in frames if f <= number)


def test_a_table_without_some_frames_keeps_what_it_says_of_the_others():
    table = table_of(clip("joined.ts"))
    less = table.without([0, 1, 50, 99])
    assert len(less) == 96 and less.times[0] == 0
    assert [tuple(s) for s in less.stretches] == [(0, 47), (48, 95)]
    assert [tuple(r)[:2] for r in less.recordings] == [(0, 47), (48, 95)]
    assert less.recordings[1].packet == table.recordings[1].packet
    assert less.starts[0] == tables.Start(0, 0, None) and less.starts[1].frame == table.starts[1].frame - 2
    gone = table.without(range(50))
    assert [tuple(r)[:2] for r in gone.recordings] == [(0, 49)] and gone.recordings[0].packet > 0


@pytest.mark.parametrize("memory", [0, None])
def test_pictures_keep_the_size_of_the_first_where_it_changes_midway(tmp_path, memory):
    for name, side in (("a.ts", 32), ("b.ts", 64)):
        write_video(tmp_path / "parts" / name, moving("right", 1, 14, side), codec="libx264", options={"bf": "0"})
    (tmp_path / "joined").mkdir()
    parts = [(tmp_path / "parts" / name).read_bytes() for name in ("b.ts", "a.ts")]
    (tmp_path / "joined" / "c.ts").write_bytes(b"".join(parts))
    store = VideoStore(open_source(str(tmp_path / "joined")), 48, memory)
    last = len(store.table(0)) - 1
    assert last == 27
    assert store.read(0, [last, 20]).shape == store.read(0, [0, last]).shape == (2, 48, 54, 3)
    assert np.array_equal(store.read(0, [last])[0], store.read(0, [0, last])[1])
    assert store.read(0, [last]).max() > 200  # the square is there, in the larger size


def test_a_run_that_goes_on_knows_what_is_damaged(damaged):
    def clips_of(*numbers):
        store = VideoStore(open_source(str(Path(damaged).parent)), 16, 0)
        return Clips(store, lambda i, table, epoch: Chosen([np.array(numbers[epoch]) * len(table) // 50]), workers=1)

    asked = [[*range(50)], [40, 41]]  # the first finds the damage, the second would not
    first = clips_of(*asked)
    batches = list(first.stream([torch.tensor([0])] * 2, [0, 1]))
    assert [batch.count.item() for batch in batches] == [49, 49]
    second, fresh = clips_of(*asked), clips_of(*asked)
    second.load_state_dict(first.state_dict())
    assert next(second.stream([torch.tensor([0])], [1])).at[0].tolist() == batches[1].at[0].tolist() == [[39, 40]]
    assert next(fresh.stream([torch.tensor([0])], [1])).at[0].tolist() == [[40, 41]]
    with pytest.raises(ValueError):
        second.load_state_dict({"damaged videos": [1]})


def test_frames_are_those_that_were_chosen_of_what_comes(damaged):
    store = VideoStore(open_source(str(Path(damaged).parent)), 16, 0)
    clips = Clips(store, lambda i, table, epoch: Chosen([np.arange(20, 40) * len(table) // 50]), workers=1)
    assert next(clips.stream([torch.tensor([0])])).at[0].tolist() == [(np.arange(20, 40) * 49 // 50).tolist()]
