"""decode: every format and mode against Pillow and naive loops, sizes, EXIF, and everything that is broken."""

from __future__ import annotations

import functools
import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from reading_samples import bomb, encoded, picture, pixels, png
from torchvision.transforms import v2

from twofold.images.reading import DecodeError, decode
from twofold.images.reading.decode import decode_centre, resized_side, shrunk_size

LOSSLESS = [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {}), ("TGA", {}), ("WEBP", {"lossless": True})]
LOSSY = [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("JPEG2000", {}), ("GIF", {})]


def values(data, short_side=None):
    x = decode(data, short_side)
    assert x.dtype == torch.uint8 and x.is_contiguous() and x.ndim == 3 and x.shape[0] == 3
    return x.numpy().astype(int)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_are_exact(kind, options):
    image = picture()
    assert (values(encoded(image, kind, **options)) == pixels(image)).all()


@pytest.mark.parametrize(("kind", "options"), LOSSY)
def test_lossy_formats_are_near(kind, options):
    image = picture()
    assert np.abs(values(encoded(image, kind, **options)) - pixels(image)).mean() < 6


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA"])
def test_modes_in_png(mode):
    image = picture().convert(mode)
    assert (values(encoded(image, "PNG")) == pixels(image.convert("RGB"))).all()


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "JPEG"), ("YCbCr", "TIFF")])
def test_other_colour_spaces(mode, kind):
    image = picture().convert(mode)
    assert np.abs(values(encoded(image, kind)) - pixels(image)).mean() < 3


def test_transparency_is_laid_over_white():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (6, 7, 4), dtype=np.uint8)
    got = values(encoded(Image.fromarray(rgba, "RGBA"), "PNG"))
    for y in range(6):
        for x in range(7):
            for c in range(3):
                alpha = rgba[y, x, 3] / 255
                assert abs(got[c, y, x] - (rgba[y, x, c] * alpha + 255 * (1 - alpha))) <= 0.5 + 1e-9


def test_transparent_palette_and_colour_key():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    assert values(encoded(image, "GIF", transparency=0))[:, 0].T.tolist() == [[255, 255, 255], [0, 0, 255]]
    assert values(encoded(image, "PNG", transparency=0))[:, 0].T.tolist() == [[255, 255, 255], [0, 0, 255]]
    plain = Image.new("RGB", (2, 1), (9, 8, 7))
    plain.putpixel((1, 0), (1, 2, 3))
    assert values(encoded(plain, "PNG", transparency=(9, 8, 7)))[:, 0].T.tolist() == [[255, 255, 255], [1, 2, 3]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(kind):
    ramp = np.array([[0, 128, 3000, 32768, 65535]], np.uint16)
    expected = [round(v / 257) for v in ramp[0].tolist()]
    assert values(encoded(Image.fromarray(ramp), kind))[0, 0].tolist() == expected == [0, 0, 12, 128, 255]


def test_sixteen_bit_colour_is_scaled():
    row = b"\0" + struct.pack(">6H", 0, 0x8000, 0xFFFF, 257 * 7, 257 * 200, 257)
    got = values(png(struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0), row))
    assert got[:, 0].T.tolist() == [[0, 128, 255], [7, 200, 1]]


def test_float_and_32_bit_tiff():
    ramp = np.array([[0, 0.5, 1]], np.float32)
    assert values(encoded(Image.fromarray(ramp), "TIFF"))[0, 0].tolist() == [0, 128, 255]
    for bad in (ramp * 3, ramp - 1, ramp * np.nan):
        with pytest.raises(DecodeError, match="white level"):
            decode(encoded(Image.fromarray(bad), "TIFF"), None)
    with pytest.raises(DecodeError, match="white level"):
        decode(encoded(Image.fromarray(np.array([[0, 70000]], np.int32)), "TIFF"), None)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    image = picture(24, 40)
    data = encoded(image, kind, exif=exif, **options)
    image.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(image)
    got = values(data)
    assert got.shape[1:] == (upright.height, upright.width)
    assert np.abs(got - pixels(upright)).mean() < 3
    assert decode(data, 12).shape[1:] == shrunk_size(upright.height, upright.width, 12)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"\xff" * 40])
def test_damaged_exif_does_not_matter(block):
    plain = encoded(picture())
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    assert torch.equal(decode(data, 20), decode(plain, 20))


def test_an_exif_reader_that_fails_does_not_matter(monkeypatch):
    monkeypatch.setattr(Image.Image, "getexif", lambda self: 1 / 0)  # older Pillows raise on damaged blocks
    assert decode(encoded(picture()), 20).shape[1] == 20


def test_an_unknown_orientation_does_not_matter():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert torch.equal(decode(encoded(picture(), exif=exif), 20), decode(encoded(picture()), 20))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("height", "width"), [(600, 800), (801, 533), (256, 256)])
def test_shrinking_is_near_an_exact_one(kind, height, width):
    image = picture(height, width)
    for side in (31, 64, 200):
        got = values(encoded(image, kind), side)
        assert min(got.shape[1:]) == side
        reference = image.resize((got.shape[2], got.shape[1]), Image.Resampling.BILINEAR)
        assert np.abs(got - pixels(reference)).mean() < 2


def test_fine_stripes_shrink_to_grey():
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    got = values(encoded(Image.fromarray(stripes), "PNG"), 32)[:, :, 4:-4]
    assert np.abs(got - 127.5).max() < 12  # without antialiasing they would stay black and white


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 200), (1, 9), (64, 64)])
def test_small_images_are_never_enlarged(size):
    assert decode(encoded(picture(*size), "PNG"), 64).shape == (3, *shrunk_size(*size, 64))
    assert shrunk_size(*size, 64) == size
    assert decode(encoded(picture(*size), "PNG"), None).shape == (3, *size)


def test_very_long_images_are_bounded():
    assert decode(encoded(Image.new("RGB", (20000, 1), (9, 9, 9)), "PNG"), 32).shape == (3, 1, 256)
    assert shrunk_size(100, 5000, 50) == (8, 400)
    assert shrunk_size(5000, 100, None) == (5000, 100)


def test_animations_give_their_first_frame():
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "MPO"):
        got = values(encoded(frames[0], kind, save_all=True, append_images=frames[1:]), 4)
        assert np.abs(got - np.array([255, 0, 0])[:, None, None]).max() <= 4, kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated_files_are_refused(kind, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for side in (None, 16):
        with pytest.raises(DecodeError):
            decode(data[: int(len(data) * share)], side)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"I am not a JPEG", "not an image.*seems to be text"),
        (b"\xff\xd8\xff\xe0", "."),
        (b"\x89PNG\r\n\x1a\n", "."),
        (bomb(), "decompression bomb"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (bytes(1000), "not an image"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(data, reason):
    with pytest.raises(DecodeError, match=reason):
        decode(data, 32)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_damage_gives_pixels_or_a_decode_error():
    rng = np.random.default_rng(2)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = np.frombuffer(encoded(picture(), kind), np.uint8)
        for _ in range(40):
            data = whole.copy()
            data[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
            try:
                assert decode(data.tobytes(), 16).dtype == torch.uint8
            except DecodeError as error:
                assert error.reason


def test_arrays():
    rng = np.random.default_rng(3)
    for shape in ((8, 6), (8, 6, 1), (8, 6, 3)):
        array = rng.integers(0, 256, shape, dtype=np.uint8)
        rgb = np.broadcast_to(array.reshape(8, 6, -1), (8, 6, 3)).transpose(2, 0, 1)
        assert (values(array) == rgb).all()
    array.flags.writeable = False
    assert (values(array[::-1]) == array[::-1].transpose(2, 0, 1)).all()
    rgba = np.zeros((2, 2, 4), np.uint8)
    assert (values(rgba) == 255).all()
    for bad in (np.zeros((2, 2), bool), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 2), np.uint8)):
        with pytest.raises(DecodeError, match="no image"):
            decode(bad, None)


def test_threads_decode_the_same():
    data = [encoded(picture(50 + i, 60, seed=i), kind) for i in range(8) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
    serial = [decode(d, 24) for d in data]
    with ThreadPoolExecutor(8) as pool:
        assert all(torch.equal(a, b) for a, b in zip(serial, pool.map(lambda d: decode(d, 24), data), strict=True))


@functools.cache
def photograph(height, width):
    """Detail at every scale, as in photographs: noise whose amplitude falls with the frequency."""
    drawn = np.random.default_rng(height * width).normal(size=(3, height, width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    shaped = np.fft.ifft2(np.fft.fft2(drawn) / (frequency + 1 / max(height, width))).real
    shaped = 128 + 50 * shaped / shaped.std()
    return Image.fromarray(shaped.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


SIDES = [(40, 40), (40, 53), (75, 64), (333, 500), (500, 375), (600, 800), (799, 241), (800, 101), (255, 257)]


@pytest.mark.parametrize("size", [16, 32, 64, 96, 128, 224])
@pytest.mark.parametrize(("height", "width"), SIDES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_centre_is_torchvisions_from_the_original(size, height, width, kind):
    data = encoded(photograph(height, width), kind)
    original = v2.functional.pil_to_tensor(Image.open(io.BytesIO(data)).convert("RGB"))
    steps = v2.Compose([v2.Resize(resized_side(size), antialias=True), v2.CenterCrop(size)])
    found = decode_centre(data, size)
    assert found.shape == (3, size, size) and found.is_contiguous()
    away = (found.float() - steps(original).float()).abs()
    assert away.max() <= 1 and away.mean() < 0.02  # one where torch has no kernel for bytes
    unrounded = 255 * steps(original.float() / 255)
    assert (found - unrounded).abs().mean() < 0.35  # a level's rounding is 0.25; torch rounds rows and columns apart


def test_the_centre_is_taken_upright_and_of_the_longest_images_from_their_middle():
    image, exif = photograph(90, 61), Image.Exif()
    exif[0x0112] = 6
    turned = decode_centre(encoded(image, "PNG", exif=exif), 32)
    assert torch.equal(turned, decode_centre(np.asarray(image.transpose(Image.Transpose.ROTATE_270)), 32))
    strip = np.zeros((20, 4000, 3), np.uint8)
    strip[:, 1990:2010] = 255
    assert (decode_centre(strip, 32)[:, :, 2:-2] == 255).all()
