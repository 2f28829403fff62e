"""Mean and deviation of each channel, against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.reading import open_source
from twofold.images.reading.looking import settle_pixels
from twofold.images.reading.pixels import PixelRule
from twofold.images.reading.statistics import measure_statistics


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_they_are_those_of_all_pixels_where_images_are_alike(tmp_path, dtype):
    top = np.iinfo(dtype).max
    array = (np.random.default_rng(0).random((7, 5, 20, 24)) * top * np.arange(1, 6)[:, None, None] / 6).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    source = open_source(str(tmp_path / "a.npy"))
    settle_pixels(source)
    mean, deviation = measure_statistics(source)
    np.testing.assert_allclose(mean, (array / top).mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(deviation, (array / top).std((0, 2, 3)), rtol=1e-5)
    assert measure_statistics(source) == (mean, deviation)


def test_a_constant_channel_has_deviation_one_and_what_cannot_be_read_is_left_out(tmp_path):
    for i in range(4):
        np.save(
            tmp_path / f"{i}.npy", np.stack([np.full((20, 20), 70), np.arange(400).reshape(20, 20)]).astype(np.uint8)
        )
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY nothing")
    source = open_source(str(tmp_path))
    settle_pixels(source)
    mean, deviation = measure_statistics(source)
    assert mean[0] == pytest.approx(70 / 255) and deviation[0] == 1.0 and 0 < deviation[1] < 1
    source.pixels = PixelRule(channels=7)
    with pytest.raises(UserError, match="none of the 5 images looked at can be read"):
        measure_statistics(source)
