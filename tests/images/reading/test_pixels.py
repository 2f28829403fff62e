"""PixelRule: levels to bytes against the exact numbers, for every type and white."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from twofold.images.reading.pixels import STRIP, PixelRule
from twofold.pixels.reading.failure import DecodeError


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "int16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("white", [255, 1023, 4095, 20000])
def test_levels_become_the_nearest_of_256_and_those_beyond_white_are_white(dtype, white):
    levels = np.array([[0, 1, white // 3, white // 2, white - 1, white, white + 1, 32000]]).astype(dtype)
    got = PixelRule(float(white)).to_bytes(levels)
    assert got.dtype == np.uint8 and got.shape == levels.shape
    for value, byte in zip(levels[0].tolist(), got[0].tolist(), strict=True):
        assert abs(byte - min(Fraction(value) * 255 / white, 255)) <= Fraction(51, 100)


def test_without_a_white_level_integers_have_16_bits_and_floats_end_at_one():
    assert PixelRule().to_bytes(np.array([[0, 128, 3000, 65535]], np.uint16)).tolist() == [[0, 0, 12, 255]]
    assert PixelRule().to_bytes(np.array([[0, 0.25, 1]], np.float32)).tolist() == [[0, 64, 255]]
    for bad in ([[0, 70000]], [[-1, 5]], [[0.0, 1.1]], [[-0.1, 1.0]]):
        with pytest.raises(DecodeError, match="of unknown white level: give it by --white"):
            PixelRule().to_bytes(np.array(bad))
    assert PixelRule(70000.0).to_bytes(np.array([[-5, 35000, 70000]])).tolist() == [[0, 128, 255]]


def test_what_is_no_number_is_refused_with_any_white():
    for rule in (PixelRule(), PixelRule(4095.0)):
        for bad in (np.nan, np.inf):
            with pytest.raises(DecodeError, match="NaN or infinity"):
                rule.to_bytes(np.array([[0, bad]], np.float32))


def test_strips_change_nothing():
    levels = np.random.default_rng(0).integers(0, 4096, (5, STRIP // 2 + 1), np.uint16)
    assert (PixelRule(4095.0).to_bytes(levels) == PixelRule(4095.0)._strip(levels)).all()
