"""Open files, such as members of tar files, are read as paths are, in every container and again and again."""

import io

import numpy as np
import pytest

from tests.videos.clips import HERE, clip
from twofold.videos.motion import keyframes, motion_vectors, still_share
from twofold.videos.reading.sieve import sound_table
from twofold.videos.reading.video import Video


@pytest.mark.parametrize("name", ["plain.mp4", "mpeg4.avi", "reordered.avi", "program.mpg", "raw.h264", "stream.ts"])
def test_an_open_file_is_read_as_its_path_is(name):
    file = io.BytesIO((HERE / name).read_bytes())
    assert len(sound_table(file)) == len(Video(file)) == len(Video(clip(name)))
    assert np.array_equal(Video(file).read([13, 2]), Video(clip(name)).read([13, 2]))
    for _ in range(2):
        assert still_share(file) == still_share(clip(name))
        assert len(list(keyframes(file))) == len(list(keyframes(clip(name))))
        assert len(list(motion_vectors(file))) == len(Video(clip(name)))
