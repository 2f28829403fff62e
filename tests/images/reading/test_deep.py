"""16-bit colour with all its bits, fourth channels, and TIFF of many bands."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from reading_samples import deep_png, encoded, picture, tiff

from twofold.images.reading import DecodeError, decode
from twofold.images.reading.deep import bands, deep_strips, has_fourth, is_deep, tiff_of_bands
from twofold.images.reading.pixels import PixelRule

TWELVE = PixelRule(4095.0)


def deep(channels, height=37, width=23):
    return np.random.default_rng(channels).integers(0, 4096, (height, width, channels), np.uint16)


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("order", ["<", ">", "png"])
def test_all_bits_of_16_bit_colour_are_read(channels, order):
    array = deep(channels)
    data = deep_png(array) if order == "png" else tiff(array, extra=(2,) * (channels - 3), order=order)
    assert is_deep(opened(data)) and has_fourth(opened(data)) == (channels == 4)
    assert (np.concatenate(list(deep_strips(opened(data), opened(data)))) == array).all()
    got = decode(data, None, PixelRule(4095.0, "drop")).numpy().transpose(1, 2, 0)
    assert (got == np.round(array[..., :3] * (255 / 4095)).astype(np.uint8)).all()
    assert decode(data, None, PixelRule(fourth="drop")).max() < 17  # by the whole range it is near black


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_fourth_channel_that_a_tiff_calls_no_transparency_is_left_out(dtype):
    array = (deep(4) >> 4).astype(dtype)
    data = tiff(array, extra=(0,))
    assert bands(opened(data)) == 4 and not has_fourth(opened(data))
    assert (decode(data, None, PixelRule(255.0)).numpy().transpose(1, 2, 0) == array[..., :3]).all()


def test_a_fourth_channel_is_laid_over_white_or_dropped_in_files_and_arrays():
    rgba = (deep(4) >> 4).astype(np.uint8)
    for data in (encoded(Image.fromarray(rgba), "PNG"), tiff(rgba), rgba):
        assert (decode(data, None, PixelRule(fourth="drop")).numpy().transpose(1, 2, 0) == rgba[..., :3]).all()
        over = decode(data, None, PixelRule(fourth="alpha")).numpy().transpose(1, 2, 0)
        exact = (rgba[..., :3] * (rgba[..., 3:] / 255) + 255 - rgba[..., 3:]).round()
        assert (over == exact).all() and (decode(data, None).numpy().transpose(1, 2, 0) == over).all()


def test_transparency_of_grey_and_of_palettes_is_no_fourth_channel():
    grey = Image.fromarray(np.array([[[10, 0], [10, 255]]], np.uint8), "LA")
    palette = picture().convert("P")
    for data in (encoded(grey, "PNG"), encoded(palette, "PNG", transparency=3), encoded(picture(), "PNG")):
        assert not has_fourth(opened(data))
        assert (decode(data, None, PixelRule(fourth="drop")) == decode(data, None)).all()


def test_a_pgm_says_itself_which_level_is_white():
    ramp = np.array([0, 1000, 4095], ">u2")
    data = b"P5\n3 1\n4095\n" + ramp.tobytes()
    for rule in (PixelRule(), TWELVE):
        assert decode(data, None, rule)[0, 0].tolist() == [0, 62, 255]
    assert decode(b"P5\n3 1\n65535\n" + ramp.tobytes(), None, TWELVE)[0, 0].tolist() == [0, 62, 255]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_tiff_of_many_bands_says_how_many_and_nothing_else_is_printed(dtype, capfd):
    data = tiff(np.zeros((5, 4, 13), dtype), extra=(0,) * 12, photometric=1)
    bits = 8 * np.dtype(dtype).itemsize
    assert tiff_of_bands(data) == f"a TIFF of 13 bands of {bits} bits"
    with pytest.raises(DecodeError, match=f"a TIFF of 13 bands of {bits} bits, .*save three of them as an RGB image"):
        decode(data, 32)
    assert capfd.readouterr() == ("", "")
    assert tiff_of_bands(data[:200]) == "" == tiff_of_bands(b"II") == tiff_of_bands(encoded(picture()))


@pytest.mark.parametrize(
    ("array", "kind", "each"),
    [
        (np.full((700, 700), 3000, np.uint16), "PNG", 5),
        (np.full((700, 700), 3000, np.int32), "TIFF", 6),
        (np.full((700, 700), 0.5, np.float32), "TIFF", 6),
    ],
    ids=["16 bits", "32 bits", "float"],
)
def test_deep_grey_takes_few_bytes_a_pixel_while_it_is_decoded(array, kind, each):
    data = encoded(Image.fromarray(array), kind)
    decode(data, 32)
    tracemalloc.start()
    try:
        decode(data, 32)
        assert tracemalloc.get_traced_memory()[1] < each * array.size
    finally:
        tracemalloc.stop()
