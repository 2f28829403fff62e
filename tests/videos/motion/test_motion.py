"""Motion vectors of real files: which have some, what they say, and how they are painted."""

import gc

import numpy as np
import pytest
import torch

from tests.videos.clips import HERE, clip
from tests.videos.conftest import write_video
from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.container import av, opened
from twofold.videos.motion import (
    flip,
    keyframes,
    motion_vectors,
    normalise,
    paint_grid,
    paint_grids,
    paint_map,
    past,
    still_share,
)
from twofold.videos.motion.vectors import EMPTY, WITHOUT
from twofold.videos.reading.video import Video


def panning(speed, frames=20, side=96):
    """A texture that moves to the right by so many pixels a frame."""
    drawn = np.random.default_rng(0).integers(0, 255, (side // 4, 3 * side // 4, 3))
    wide = drawn.repeat(4, 0).repeat(4, 1).astype(np.uint8)
    return np.stack([wide[:, side - speed * t : 2 * side - speed * t] for t in range(frames)])


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "libx264"])
def test_what_moves_to_the_right_has_vectors_to_the_right(tmp_path, codec):
    write_video(tmp_path / "pan.mp4", panning(4), codec=codec)
    seen = []
    frames = list(motion_vectors(str(tmp_path / "pan.mp4")))
    for frame in frames[:-1]:  # of MPEG-2, FFmpeg gives the last frame without its vectors
        assert frame.key == (not len(frame.rows))
        if not frame.key:
            seen.append(np.median(paint_grid(frame.rows, frame.height, frame.width)[1:-1, 2:-1].reshape(-1, 2), 0))
    assert len(seen) >= 16
    dx, dy = np.median(seen, 0)
    assert dx == pytest.approx(16, abs=1) and dy == 0  # 4 pixels in quarters


def test_vectors_come_with_numbers_times_and_keys():
    frames = list(motion_vectors(clip("plain.mp4")))
    assert [frame.number for frame in frames] == list(range(50))
    assert [frame.number for frame in frames if frame.key] == [0, 12, 24, 36, 39]
    assert frames[25].time == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["live.webm", "hevc.mp4"])
def test_codecs_that_tell_none_are_refused_with_what_to_do(name):
    with pytest.raises(UserError, match=r"tells no motion vectors: turn it into H\.264 first"):
        list(motion_vectors(clip(name)))


def test_a_file_that_tells_none_gives_no_frame_before_it_is_refused(tmp_path):
    with pytest.raises(UserError, match="vp9"):
        next(motion_vectors(clip("live.webm")))
    write_video(tmp_path / "still.avi", panning(0, WITHOUT + 10, 32), gop=1)
    with pytest.raises(UserError, match="begins with keyframes alone"):
        next(motion_vectors(str(tmp_path / "still.avi"), pictures=True))


def test_no_frame_at_all_is_a_damaged_file(tmp_path):
    data = (HERE / "plain.mp4").read_bytes()
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    (tmp_path / "empty.mp4").write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    with pytest.raises(DecodeError, match="no frame that can be decoded"):
        next(motion_vectors(str(tmp_path / "empty.mp4")))


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "libx264"])
def test_where_nothing_moves_there_are_vectors_of_zero(tmp_path, codec):
    write_video(tmp_path / "still.mp4", panning(0), codec=codec)
    frames = [frame for frame in motion_vectors(str(tmp_path / "still.mp4")) if not frame.key]
    assert all(len(frame.rows) for frame in frames[:-1])
    assert still_share(str(tmp_path / "still.mp4")) > 0.9


NAMES = ["aspect.mp4", "cut.mp4", "interlaced.mp4", "mirrored.mp4", "odd.mp4", "open.mkv", "open.mp4", "plain.mp4"]
NAMES += ["program.mpg", "raw.h264", "refresh.mp4", "reordered.avi", "stream.ts", "turned.mp4", "variable.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_and_keyframes_are_those_of_reading(name):
    frames, video = list(motion_vectors(clip(name), pictures=True)), Video(clip(name))
    keys = [frame for frame in frames if frame.key]
    assert len(frames) == len(video) and keys
    shown = list(keyframes(clip(name)))
    assert [frame.time for frame in keys] == [frame.time for frame in shown]
    for frame, found in zip(keys, shown, strict=True):
        expected = video.read([frame.number])[0]
        assert np.array_equal(frame.picture, expected) and np.array_equal(found.picture, expected)


@pytest.mark.parametrize("name", ["open.mp4", "refresh.mp4", "interlaced.mp4", "mpeg4.avi", "program.mpg"])
def test_vectors_are_those_of_a_decode_that_leaves_out_nothing(name):
    with opened(clip(name)) as (container, stream, _):
        stream.codec_context.flags2 |= av().codec.context.Flags2.export_mvs
        found = [frame.side_data.get("MOTION_VECTORS") for frame in container.decode(stream)]
        expected = [EMPTY if rows is None else rows.to_ndarray().copy() for rows in found]
    for pictures in (False, True):
        frames = list(motion_vectors(clip(name), pictures=pictures))
        assert all(np.array_equal(f.rows, e) for f, e in zip(frames, expected, strict=True))


def test_frames_do_not_stay_in_memory():
    gc.collect()
    gc.disable()  # what is freed without it was held by nobody
    try:
        before = sum(isinstance(thing, av().VideoFrame) for thing in gc.get_objects())
        list(motion_vectors(clip("plain.mp4"), pictures=True))
        Video(clip("plain.mp4")).read([0, 20, 49])
        assert sum(isinstance(thing, av().VideoFrame) for thing in gc.get_objects()) - before <= 3
    finally:
        gc.enable()


def test_what_frames_tell_of_themselves():
    assert all(frame.interlaced for frame in motion_vectors(clip("interlaced.mp4")))
    assert not any(frame.interlaced for frame in motion_vectors(clip("plain.mp4")))
    assert all(frame.time is not None for frame in motion_vectors(clip("reordered.avi")))
    first = next(motion_vectors(clip("turned.mp4"), pictures=True))
    grid = paint_grid(first.rows, first.height, first.width)
    assert grid.shape[:2] == (5, 7) and first.orientation.vectors(grid).shape[:2] == (7, 5)
    assert first.picture is not None and first.picture.shape[:2] == (50, 38)


def test_keyframes_alone_are_refused(tmp_path):
    write_video(tmp_path / "still.avi", panning(4, 6), gop=1)
    with pytest.raises(UserError, match="keyframes alone"):
        list(motion_vectors(str(tmp_path / "still.avi")))


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path):
    data = (HERE / "plain.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    assert 5 < len(list(motion_vectors(str(tmp_path / "cut.mkv")))) < 50
    with pytest.raises(DecodeError):
        list(motion_vectors(clip("sound.m4a")))


def rows_of(*rows):
    """(source, w, h, src, dst, motion) with a scale of 4."""
    found = np.zeros(len(rows), EMPTY.dtype)
    for i, (source, w, h, src, dst, motion) in enumerate(rows):
        found[i] = (source, w, h, *src, *dst, 0, *motion, 4)
    return found


def test_blocks_of_the_future_alone_are_turned_round():
    rows = rows_of(
        (-1, 16, 16, (6, 8), (8, 8), (-8, 0)),
        (1, 16, 16, (9, 8), (8, 8), (4, 0)),
        (1, 16, 16, (27, 8), (24, 8), (12, 0)),
    )
    one = past(rows)
    assert one["source"].tolist() == [-1, -1] and one["motion_x"].tolist() == [-8, -12]
    assert one["src_x"].tolist() == [6, 21]
    grid = paint_grid(rows, 16, 32)
    assert grid[:, :2, 0].tolist() == [[8, 8], [8, 8]] and grid[:, 2:, 0].tolist() == [[12, 12], [12, 12]]


def test_cells_beyond_the_picture_and_far_vectors_are_cut():
    rows = rows_of((-1, 16, 16, (-200, 8), (40, 8), (-960, 4)), (-1, 8, 8, (4, 4), (4, 4), (0, 0)))
    grid = paint_grid(rows, 20, 44)
    assert grid.shape == (3, 6, 2) and grid[0, 4].tolist() == [127, -4] and grid[2].any() == np.False_
    large = paint_grid(rows_of((-1, 16, 16, (16, 24), (24, 24), (-32, 0))), 512, 512)
    assert large[2, 2].tolist() == [16, 0]  # 8 pixels are 4 of a video of half the size


def test_frames_at_one_go_are_as_one_by_one():
    frames = [frame for name in ("open.mp4", "plain.mp4") for frame in motion_vectors(clip(name))]
    found = paint_grids([frame.rows for frame in frames], 48, 48)
    assert found.any() and not found[0].any() and paint_grids([], 48, 48).shape == (0, 6, 6, 2)
    for frame, grid in zip(frames, found, strict=True):
        assert np.array_equal(paint_grid(frame.rows, 48, 48), grid)


def test_a_map_keeps_the_last_of_two_blocks_and_nothing_of_sources_outside():
    rows = rows_of((-1, 8, 8, (2, 4), (4, 4), (-8, 0)), (-1, 8, 8, (4, 1), (4, 4), (0, -12)))
    found = paint_map(rows, 8, 8)
    assert found[0, 4].tolist() == [2, 0] and found[4, 4].tolist() == [0, 3] and found[0, 0].tolist() == [0, 0]
    assert not paint_map(EMPTY, 8, 8).any() and not paint_grid(EMPTY, 8, 8).any()


def test_mirroring_turns_the_sideways_part_round():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, -40.0]]]])
    assert flip(maps).tolist() == [[[[-3.0, -40.0], [-1.0, 2.0]]]]
    assert normalise(flip(maps, negate=False)).flatten().tolist() == pytest.approx([0.3, -1.0, 0.1, 0.2])


def test_keyframes_are_pictures_as_shown():
    found = list(keyframes(clip("turned.mp4")))
    assert found[0].number == 0 and found[0].picture.shape == (50, 38, 3)
    assert len(list(keyframes(clip("plain.mp4")))) == 5


def test_vectors_and_keyframes_come_in_one_decode():
    frames = list(motion_vectors(clip("plain.mp4"), pictures=True))
    pictures = [frame.picture for frame in frames if frame.key]
    assert all(frame.picture is None for frame in frames if not frame.key)
    assert all(map(np.array_equal, pictures, (found.picture for found in keyframes(clip("plain.mp4")))))


def test_repeated_frames_are_seen(tmp_path):
    write_video(tmp_path / "pan.mp4", panning(4))
    write_video(tmp_path / "twice.mp4", panning(4).repeat(2, 0))
    assert still_share(str(tmp_path / "pan.mp4")) < 0.1
    assert still_share(str(tmp_path / "twice.mp4")) == pytest.approx(0.5, abs=0.1)


def test_frames_without_vectors_are_not_still(tmp_path):
    write_video(tmp_path / "pan.mpg", panning(4), codec="mpeg2video")
    frames = list(motion_vectors(str(tmp_path / "pan.mpg")))
    assert not frames[-1].key and not len(frames[-1].rows) and still_share(str(tmp_path / "pan.mpg")) == 0


@pytest.fixture
def faster(tmp_path):
    """A film that moves faster from frame to frame."""
    places = np.arange(24) ** 2 // 6
    pan = panning(1, 1 + int(places[-1]), 96)[places]
    write_video(tmp_path / "faster.ts", pan, gop=6)
    return str(tmp_path / "faster.ts")


@pytest.mark.parametrize("name", [*NAMES, "faster"])
def test_motion_of_any_frames_is_that_of_a_decode_from_the_beginning(name, faster):
    file = faster if name == "faster" else clip(name)
    frames, video = list(motion_vectors(file)), Video(file, vectors=True)
    drawn = np.random.default_rng(0).permutation(len(frames))[:12]
    read = video.read(drawn[:3].tolist())
    found = video.motion(drawn.tolist())
    expected = [f.orientation.vectors(paint_grid(f.rows, f.height, f.width)) for f in (frames[i] for i in drawn)]
    assert np.array_equal(found.cells, np.stack(expected)) and found.cells.any() >= (name == "faster")
    assert np.array_equal(read, Video(file).read(drawn[:3].tolist()))
    assert found.cells.shape[1:3] == (-(-found.height // 8), -(-found.width // 8))


def test_a_video_without_vectors_has_no_motion():
    with pytest.raises(DecodeError, match="tells no motion vectors"):
        Video(clip("live.webm"), vectors=True).motion([3, 4, 5])
