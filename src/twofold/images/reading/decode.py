"""From encoded bytes to pixels: every format and mode, at the size that training needs.

Pillow decodes and torch shrinks. Measured against torchvision.io.decode_jpeg: from 500x375 to a short side of 64, 0.39
against 0.57 CPU-ms, from 2000x1500 2.7 against 5.9 (Pillow can decode at a reduced scale); only where no reduction is
possible is torchvision faster (500x375 to 256: 0.90 against 0.74). torch shrinks twice to four times as fast as Pillow.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from twofold.errors import UserError
from twofold.images.reading.convert import of_array, of_image
from twofold.images.reading.deep import tiff_of_bands
from twofold.images.reading.kept import native, of_stack, with_channels
from twofold.images.reading.layout import channel_axis
from twofold.images.reading.pixels import PLAIN, PixelRule
from twofold.images.reading.stacks import read_stack
from twofold.pixels.reading.failure import DecodeError

# EPS, PDF and WMF are left out: their plugins run other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "MPO", "AVIF", "JPEG2000", "TGA", "ICO")
LONGEST = 8  # times short_side: a longer image is shrunk further, for it would pad its whole batch
ORIENTATION = 0x0112
KNOWN = {
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
    b"<": "a web page or other markup",
    b"%PDF": "a PDF file",
    b"PK": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"{": "JSON",
}  # by the first bytes, what often stands where an image should

# Images beyond Pillow's warning (89 megapixels) are photographs of good cameras; twice that is its error, and ours.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Odd metadata (EXIF, TIFF tags, palettes) in images that can be read all the same: millions of lines in a long run.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def decode(data: bytes | np.ndarray, short_side: int | None, rule: PixelRule = PLAIN) -> Tensor:
    """An image as uint8 (3, H, W) RGB, or uint8 or uint16 (C, H, W) where the rule says channels; contiguous.

    data: encoded bytes, or pixels as (H, W), (H, W, C) or (C, H, W) of uint8, other integers or floats; of RGB C is 1,
    3 or 4.
    short_side: pixels; a larger image is shrunk (bilinear, antialiased; JPEG decoded at the smallest scale that covers
    it) until its short side is this, and its long side at most 8 times this; nothing is enlarged; None keeps the size.
    rule: what levels beyond 8 bits, a fourth channel and any others mean. EXIF orientation is applied; of an animation
    the first frame counts. Raises DecodeError, also for truncated files and for more than 179 megapixels.
    """
    with _explained(data):
        pixels, turn = _pixels(data, short_side, rule)
    x = torch.from_numpy(_writeable(pixels, rule)).permute(2, 0, 1)
    x = _resized(x, *shrunk_size(x.shape[1], x.shape[2], short_side))
    return torch.from_numpy(
        np.ascontiguousarray(_turned(x.numpy(), turn))
    )  # numpy: no thread team of its own per worker


def resized_side(size: int) -> int:
    """The short side in pixels to which evaluation resizes before it cuts out its square of `size` pixels: 8 / 7 of it
    from 96 px on (256 for 224), and the square itself below."""
    return round(size * 8 / 7) if size >= 96 else size


def decode_centre(data: bytes | np.ndarray, size: int, rule: PixelRule = PLAIN) -> Tensor:
    """The square that evaluation sees: (C, size, size) of `decode`, by one resize from the original.

    As torchvision's Resize(resized_side(size), antialias=True) and CenterCrop(size) of the upright uint8 image, bit for
    bit where torch resizes bytes as bytes (AVX2), within a level elsewhere. JPEG is decoded at full scale. Of an image
    more than 8 times as long as wide only the middle is resized, which may lie a pixel beside. Raises DecodeError: see
    `decode`.
    """
    x, short = decode(data, None, rule), resized_side(size)
    middle = LONGEST * min(x.shape[1:])
    x = _middle(x, min(middle, x.shape[1]), min(middle, x.shape[2]))
    height, width = x.shape[1:]
    tall, wide = (short * side // min(height, width) for side in (height, width))
    return _middle(_resized(x, tall, wide), size, size).contiguous()


def open_header(file: BinaryIO) -> Image.Image:
    """The image with its header parsed and its pixels not yet read. Raises whatever Pillow raises."""
    return Image.open(file, formats=_formats())


def image_size(file: BinaryIO | np.ndarray) -> tuple[int, int]:
    """Height and width from the header (before EXIF orientation). Closes the file. Raises DecodeError."""
    if isinstance(file, np.ndarray):
        high = 1 if file.ndim == 3 and channel_axis(file.shape[0], file.shape[2], None) == 0 else 0
        return file.shape[high], file.shape[high + 1]
    with file:
        try:
            image = open_header(file)
        except Exception as error:  # see decode
            file.seek(0)
            if stack := read_stack(file):
                return stack.pages[0].height, stack.pages[0].width
            raise DecodeError(explain(error, b"?")) from error
        return image.height, image.width


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing, unknown or the EXIF block is damaged."""
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged block in a whole image: Pillow raises what it happens to meet
        return 1
    return turn if turn in range(2, 9) else 1


def shrunk_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Height and width after shrinking, at least 1 each: see `decode`."""
    if short_side is None:
        return height, width
    scale = min(1.0, short_side / min(height, width), LONGEST * short_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _middle(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of (C, H, W), as torchvision's CenterCrop places it."""
    top, left = round((x.shape[1] - height) / 2), round((x.shape[2] - width) / 2)
    return x[:, top : top + height, left : left + width]


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextmanager
def _explained(data: bytes | np.ndarray) -> Iterator[None]:
    """Whatever goes wrong with an image as a DecodeError."""
    try:
        yield
    except (DecodeError, UserError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly everything on broken files
        raise DecodeError(explain(error, data if isinstance(data, bytes) else b"")) from error


def stored(data: bytes | np.ndarray, channels: int, short_side: int | None = None) -> tuple[np.ndarray, int]:
    """The values of an image of so many channels, (H, W, channels) of the type that they have, and the EXIF orientation
    still to be applied. Raises DecodeError where it has another number or is broken."""
    if isinstance(data, np.ndarray):
        return with_channels(data, channels), 1
    with _explained(data):
        stack = read_stack(io.BytesIO(data))
        if stack and not stack.is_plain(channels):
            return of_stack(stack, data, channels), stack.pages[0].turn
        image = _opened(data, short_side)
        return with_channels(native(image, data), channels), orientation(image)


def _pixels(data: bytes | np.ndarray, short_side: int | None, rule: PixelRule) -> tuple[np.ndarray, int]:
    """Pixels (H, W) or (H, W, C) by the rule, and the EXIF orientation still to be applied."""
    if rule.channels:
        values, turn = stored(data, rule.channels, short_side)
        return rule.to_levels(values), turn
    if isinstance(data, np.ndarray):
        return of_array(data, rule), 1
    image = _opened(data, short_side)
    pixels = of_image(image, data, rule)
    return pixels, orientation(image)  # after it is loaded: TIFF turns itself there and says so


def _opened(data: bytes, short_side: int | None) -> Image.Image:
    """The image with its header parsed; a JPEG is going to be decoded at the smallest scale that suffices."""
    image = open_header(io.BytesIO(data))
    if short_side is not None and image.format in ("JPEG", "MPO"):
        height, width = shrunk_size(image.height, image.width, short_side)
        image.draft(None, (width, height))
    return image


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    """(C, H, W) of uint8 or uint16 at another size, bilinear and antialiased; as it is where that is its own."""
    if (height, width) == tuple(x.shape[1:]):
        return x
    if x.dtype == torch.uint8:
        return F.interpolate(x[None], size=(height, width), mode="bilinear", antialias=True)[0]
    shrunk = F.interpolate(x[None].float(), size=(height, width), mode="bilinear", antialias=True)[0]
    return shrunk.round_().to(torch.uint16)


def _writeable(pixels: np.ndarray, rule: PixelRule) -> np.ndarray:
    """(H, W, C) by the rule, which may be written, of (H, W) or (H, W, C)."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], rule.count, axis=2)
    return np.require(pixels, requirements=["C", "W"])  # torch warns of arrays that may not be written


def _turned(x: np.ndarray, orientation: int) -> np.ndarray:
    """(C, H, W) turned upright: the eight EXIF orientations; unknown values leave it as it is."""
    if orientation in (5, 6, 7, 8):
        x = x.transpose(0, 2, 1)
    if orientation in (2, 3, 6, 7):
        x = x[:, :, ::-1]
    if orientation in (3, 4, 7, 8):
        x = x[:, ::-1]
    return x


def explain(error: Exception, data: bytes) -> str:
    """A short clause for an error of Pillow's, given the file's bytes, or the first of them."""
    if not data:
        return "the file is empty"
    if isinstance(error, Image.DecompressionBombError):
        return "more than 179 megapixels, refused as a decompression bomb"
    if isinstance(error, Image.UnidentifiedImageError):
        if tiff := tiff_of_bands(data):
            return f"{tiff}, not known to be red, green and blue: save three of them as an RGB image"
        return f"not an image that can be read ({_kind_of(data)})"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    return f"broken: {_unquoted(str(error)) or type(error).__name__}"


def _kind_of(data: bytes) -> str:
    """What a file that is no image seems to be. None of its bytes is quoted: a list may name any file."""
    head = data[:512]
    known = next((kind for start, kind in KNOWN.items() if head.startswith(start)), None)
    if known is None and head.isascii() and not re.search(rb"[\0-\x08\x0e-\x1f]", head):
        known = "text"
    return f"it seems to be {known}" if known else "it begins like no image"


def _unquoted(message: str) -> str:
    """An error's words without what they quote of the file, or name."""
    plain = re.sub(r"""b?(['"]).*?\1""", "...", " ".join(message.split()))
    return plain.partition(": ")[0][:120].rstrip(" .:")
