"""What reading may cost: time, memory, bytes of a file far away; and what `check` finds."""

import io
import itertools
import os
import random
from types import SimpleNamespace

import numpy as np
import pytest

from tests.videos.clips import HERE, clip
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av, frames_of, opened, packets_of
from twofold.videos.reading import sieve, video
from twofold.videos.reading.facts import facts_of
from twofold.videos.reading.table import table_of
from twofold.videos.reading.video import Video


def clock():
    """A clock on which every look takes 100 s."""
    seconds = itertools.count(step=100)
    return SimpleNamespace(monotonic=lambda: next(seconds))


def test_a_frame_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(video, "time", clock())
    with pytest.raises(DecodeError, match=r"decoding a frame takes longer than 120 s"):
        Video(clip("raw.h264")).read([20])


def test_counting_what_is_left_of_a_damaged_film_is_given_up_in_the_end(monkeypatch):
    table = table_of(clip("plain.mp4"))
    monkeypatch.setattr(sieve, "time", clock())
    with pytest.raises(DecodeError, match=r"takes longer than 600 s"):
        sieve.sieved(clip("plain.mp4"), table)


def test_where_the_decoder_gives_all_frames_only_the_starts_are_doubted():
    table = table_of(clip("plain.mp4"))
    found = sieve.sieved(clip("plain.mp4"), table)
    assert len(found) == len(table) and len(found.starts) == 1 < len(table.starts)


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux tells it")
def test_memory_does_not_creep_over_many_clips():
    names, drawn = ["live.webm", "plain.mp4", "stream.ts", "reordered.avi"], random.Random(0)
    kept = {name: Video(clip(name)) for name in names}

    def clips(count):
        for i in range(count):
            name = drawn.choice(names)
            film = kept[name] if i % 2 else Video(clip(name))
            start = drawn.randrange(len(film) - 8)
            film.read(range(start, start + 8), 32)
            film.close()

    clips(40)
    before = resident()
    clips(160)
    assert resident() - before < 20e6


class Counting(io.BytesIO):
    """Counts the bytes that are read, and is never read to its end in one."""

    taken = 0

    def read(self, size=-1):
        assert size is not None and size >= 0
        found = super().read(size)
        self.taken += len(found)
        return found


@pytest.fixture(scope="module")
def long_film():
    """A Matroska file of 500 frames of noise with a keyframe every 25."""
    out, noise = io.BytesIO(), np.random.default_rng(0).integers(0, 255, (7, 64, 64, 3), np.uint8)
    with av().open(out, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.gop_size = 25
        for number in range(500):
            frame = av().VideoFrame.from_ndarray(noise[number % 7])
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return out.getvalue()


def test_a_clip_of_a_file_far_away_costs_its_own_bytes(long_film):
    film = Video(Counting(long_film))
    assert film.file.taken < 1.5 * len(long_film)  # the one pass
    for opened_anew in (False, True):
        film = Video(Counting(long_film), film.table) if opened_anew else film
        for start in (450, 100, 275):
            before = film.file.taken
            film.read(range(start, start + 16))
            assert film.file.taken - before < len(long_film) / 3


def test_frames_near_the_last_one_are_decoded_on_without_a_seek(monkeypatch):
    film = Video(clip("plain.mp4"))
    film.read([13])
    monkeypatch.setattr(film._decoding, "frames", None)  # neither sought nor begun again
    film.read([14, 16, 20])


def test_frames_in_another_group_are_sought(monkeypatch):
    film, decoded = Video(clip("plain.mp4")), []
    monkeypatch.setattr("twofold.videos.reading.decoding.frames_of", lambda *a: decoded.append(1) or frames_of(*a))
    film.read([49, 0])
    assert len(decoded) < 30  # of 50 frames: those of the first and the last group


def test_facts_of_a_film():
    refresh, joined, turned, hdr = (
        facts_of(Video(clip(name))) for name in ("refresh.mp4", "joined.ts", "turned.mp4", "hdr.mp4")
    )
    assert refresh.gap > 30 and (refresh.frames, refresh.codec) == (50, "h264")
    assert joined.stretches == 2 and joined.seconds == pytest.approx(4, abs=0.05) and not joined.claimed
    assert turned.turned and turned.size == (50, 38)
    assert hdr.hdr and hdr.codec == "hevc"
    assert facts_of(Video(clip("cut.mp4"))).claimed > facts_of(Video(clip("cut.mp4"))).frames
    assert facts_of(Video(clip("reordered.avi"))).counted
    assert facts_of(Video(clip("interlaced.mp4"))).interlaced and facts_of(Video(clip("aspect.mp4"))).oblong
    assert facts_of(Video(clip("one.mp4"))).seconds == 0


def test_a_film_of_frames_that_change_their_size_is_read_in_that_of_the_first(tmp_path):
    with av().open(str(tmp_path / "large.ts"), "w") as out, opened(clip("odd.mp4")) as (film, stream, _):
        copy = out.add_stream_from_template(stream)
        for packet in packets_of(film, stream):
            packet.stream = copy
            out.mux(packet)
    (tmp_path / "both.ts").write_bytes((tmp_path / "large.ts").read_bytes() + (HERE / "stream.ts").read_bytes())
    both = Video(str(tmp_path / "both.ts"))
    assert len(both) == 75
    assert both.read([0, 74]).shape == (2, 38, 50, 3) and both.read([74]).shape == (1, 38, 50, 3)
