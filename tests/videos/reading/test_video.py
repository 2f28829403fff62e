"""Any frame by its number is the frame of a decode from the beginning, in every container."""

import io
import random
from functools import cache

import numpy as np
import pytest

from tests.videos.clips import HERE, clip
from twofold.pixels.reading.failure import DecodeError
from twofold.videos.colour import ToRGB
from twofold.videos.container import opened
from twofold.videos.orientation import display_matrix, orientation_of
from twofold.videos.reading.video import Video, shrunk

FILMS = sorted(p.name for p in HERE.iterdir() if p.suffix not in (".py", ".sh", ".m4a", ".pyc") and p.is_file())


@cache
def sequential(name):
    """All frames of a plain decode."""
    to_rgb = ToRGB()
    with opened(clip(name)) as (container, stream, _):
        return [
            orientation_of(display_matrix(f)).pictures(to_rgb(f, f.height, f.width)) for f in container.decode(stream)
        ]


@pytest.mark.parametrize("name", [name for name in FILMS if name != "aspect.mp4"])
def test_frames_in_any_order_are_those_of_a_decode_from_the_beginning(name):
    expected, video = sequential(name), Video(clip(name))
    assert len(video) == len(expected)
    drawn, last = random.Random(name), len(expected) - 1
    for number in (0, last // 2, last, *(drawn.randint(0, last) for _ in range(12))):
        assert np.array_equal(video.read([number])[0], expected[number]), number
    mixed = [drawn.randint(0, last) for _ in range(9)] * 2
    assert np.array_equal(video.read(mixed), np.stack([expected[number] for number in mixed]))
    video.close()
    assert np.array_equal(video.read([last])[0], expected[last])


def test_a_file_like_object_is_read_in_pieces_and_stays_usable():
    data = (HERE / "plain.mp4").read_bytes()

    class Counting(io.BytesIO):
        taken = 0

        def read(self, size=-1):
            found = super().read(size)
            self.taken += len(found)
            return found

    file = Counting(data)
    video = Video(file)
    assert np.array_equal(video.read([40, 3]), np.stack([sequential("plain.mp4")[i] for i in (40, 3)]))
    assert file.taken < 8 * len(data)


def test_pictures_are_turned_mirrored_and_stretched_as_the_file_asks_for():
    plain = Video(clip("odd.mp4")).read([3])[0]
    assert plain.shape == (38, 50, 3)
    assert np.array_equal(Video(clip("turned.mp4")).read([3])[0], np.rot90(plain, -1))
    assert np.array_equal(Video(clip("mirrored.mp4")).read([3])[0], plain[:, ::-1])
    assert Video(clip("aspect.mp4")).read([0]).shape == (1, 48, 96, 3)
    assert Video(clip("turned.mp4")).read([0], short_side=19).shape == (1, 25, 19, 3)


def test_only_larger_pictures_are_shrunk_and_keep_their_proportions():
    assert shrunk(100, 50, None) == (100, 50)
    assert shrunk(100, 50, 60) == (100, 50)
    assert shrunk(100, 50, 25) == (50, 25)
    assert shrunk(3000, 2, 1) == (1500, 1)


@pytest.mark.parametrize(
    ("name", "reason"), [("song.m4a", "a cover picture and no video"), ("sound.m4a", "no video in it")]
)
def test_what_has_no_film_is_said(name, reason):
    with pytest.raises(DecodeError, match=reason):
        Video(clip(name))


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"no video at all " * 50, random.Random(0).randbytes(4000)])
def test_files_of_something_else_are_said(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DecodeError, match=r"no video|no frame|the file is empty"):
        Video(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("name", ["plain.mkv", "stream.ts", "fragments.mp4", "mpeg4.avi", "live.webm", "plain.mp4"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_file_that_breaks_off_gives_its_frames_or_a_reason(tmp_path, name, share):
    data = (HERE / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    try:
        video = Video(str(tmp_path / name))
        frames = video.read(range(len(video)))
    except DecodeError as error:
        assert error.reason and "\n" not in error.reason
        return
    assert 0 < len(frames) <= len(sequential(name))


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_give_frames_or_a_reason(tmp_path, seed):
    drawn = random.Random(seed)
    name = drawn.choice(["plain.mp4", "plain.mkv", "stream.ts", "reordered.avi", "hevc.mp4", "program.mpg", "open.mp4"])
    data = bytearray((HERE / name).read_bytes())
    for _ in range(drawn.choice([1, 5, 60])):
        data[drawn.randrange(len(data))] = drawn.randrange(256)
    (tmp_path / name).write_bytes(data)
    try:
        video = Video(str(tmp_path / name))
        for number in {0, len(video) // 2, len(video) - 1}:
            frame = video.read([number])
            assert frame.dtype == np.uint8 and frame.ndim == 4
    except DecodeError as error:
        assert error.reason and "\n" not in error.reason


def test_numbers_that_there_are_not_are_refused():
    with pytest.raises(IndexError):
        Video(clip("one.mp4")).read([1])
