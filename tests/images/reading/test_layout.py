"""Which axis holds the channels, and what is said where only a guess tells."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.images.reading import open_source
from twofold.images.reading.layout import channel_axis, channels_last
from twofold.images.reading.objects import Objects


@pytest.mark.parametrize(
    ("first", "last", "channels", "axis"),
    [
        (40, 3, None, -1),
        (3, 40, None, 0),
        (3, 4, None, -1),
        (5, 3, None, -1),
        (3, 5, None, 0),
        (40, 5, None, -1),
        (13, 40, None, 0),
        (5, 13, None, 0),
        (16, 5, None, -1),
        (13, 13, None, -1),
        (5, 13, 13, -1),
        (13, 13, 13, -1),
        (3, 5, 5, -1),
        (40, 5, 4, None),
        (17, 40, None, None),
    ],
)
def test_the_axis_of_channels(first, last, channels, axis):
    assert channel_axis(first, last, channels) == axis
    found = channels_last(np.zeros((first, 9, last)), channels)
    assert (found is None) == (axis is None)
    if found is not None:
        assert found.shape == ((first, 9, last) if axis else (9, last, first))


@pytest.mark.parametrize("kind", ["npy", "npz", "object"])
def test_where_either_axis_may_be_it_the_guess_is_said_and_overruled(tmp_path, kind):
    array = np.random.default_rng(0).integers(0, 256, (3, 5, 9, 13), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", images=array)

    def opened(channels):
        return (
            Objects(array, channels=channels)
            if kind == "object"
            else open_source(str(tmp_path / f"a.{kind}"), channels=channels)
        )

    guessed, told = opened(None), opened(13)
    assert "of arrays of 5x9x13 the first axis is taken for channels (a guess; --channels" in guessed.notes[0]
    assert (guessed.fetch(1) == array[1].transpose(1, 2, 0)).all()
    assert told.notes == () and (told.fetch(1) == array[1]).all()
