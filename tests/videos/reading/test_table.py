"""The table of frames: what is visible, when, and from where decoding is exact."""

import numpy as np
import pytest

from tests.videos.clips import clip
from twofold.videos.container import av, opened
from twofold.videos.reading.recovery import starts_whole
from twofold.videos.reading.table import table_by_decoding, table_of


def test_frames_that_an_edit_list_hides_are_not_counted():
    table = table_of(clip("cut.mp4"))
    assert len(table) == 32 < table.claimed
    assert table.times[0] == 0 and np.all(np.diff(table.times) > 0)


def test_open_groups_begin_behind_the_frames_that_lean_on_the_one_before():
    table, film = table_of(clip("open.mp4")), table_of(clip("open.mkv"))
    assert [start.frame for start in table.starts] == [start.frame for start in film.starts]
    assert any(start.packet < start.frame for start in table.starts[1:])


def test_recovery_points_of_a_stream_refreshed_bit_by_bit_are_no_starts():
    with opened(clip("refresh.mp4")) as (container, stream, _):
        marked = sum(packet.is_keyframe for packet in container.demux(stream) if packet.size)
    assert 1 <= len(table_of(clip("refresh.mp4")).starts) < marked


def test_joined_streams_are_stretches_that_follow_each_other_in_time():
    table = table_of(clip("joined.ts"))
    assert [(s.first, s.last) for s in table.stretches] == [(0, 49), (50, 99)]
    assert np.all(np.diff(table.times) > 0) and table.times[-1] == pytest.approx(99 / 25, abs=0.05)
    assert table.recording_of(49) == 0 and table.recording_of(50) == 1


@pytest.mark.parametrize("name", ["reordered.avi", "raw.h264"])
def test_times_that_cannot_be_believed_are_counted(name):
    table = table_of(clip(name))
    assert table.stamps is None and len(table) == 50
    assert table.times[1] == pytest.approx(1 / 25, rel=0.2)


def test_times_of_a_variable_rate_are_kept():
    table = table_of(clip("variable.mp4"))
    steps = np.diff(table.times)
    assert steps.max() > 1.5 * steps.min() and 10 < table.rate < 26


@pytest.mark.parametrize("name", ["live.webm", "stream.ts", "fragments.mp4"])
def test_headers_without_a_count_are_no_matter(name):
    table = table_of(clip(name))
    assert (len(table), table.claimed) == (50, 0) and table.rate == pytest.approx(25, rel=0.01)


def test_counting_by_decoding_agrees():
    assert len(table_by_decoding(clip("plain.mp4"))) == len(table_of(clip("plain.mp4")))
    assert table_of(clip("one.mp4")).rate == 0


def test_recovery_points_are_read_from_both_kinds_of_stream():
    assert starts_whole(b"\0\0\0\1\x65\x88", None)
    whole, partial = b"\x06\x06\x01\xc0\x80", b"\x06\x06\x01\x30\x80"
    for unit, expected in ((whole, True), (partial, False)):
        assert starts_whole(b"\0\0\1" + unit + b"\0\0\1\x61\x00", None) is expected
        avcc = len(unit).to_bytes(4, "big") + unit + b"\0\0\0\2\x61\x00"
        assert starts_whole(avcc, b"\1\0\0\0\xff") is expected
    for broken in (b"", b"\0\0\1", b"\0\0\1\x06", b"\0\0\1\x06\xff\xff", b"\xff" * 40):
        assert starts_whole(broken, None) is True


def test_frames_of_one_time_are_counted(tmp_path):
    with av().open(str(tmp_path / "zero.mp4"), "w") as out, opened(clip("plain.mp4")) as (film, stream, _):
        copy = out.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.size:
                packet.stream, packet.pts, packet.dts = copy, 0, 0
                out.mux(packet)
    table = table_of(str(tmp_path / "zero.mp4"))
    assert len(table) == 50 and np.all(np.diff(table.times) > 0)
