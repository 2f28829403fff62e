"""From encoded bytes to uint8 pixels: every format and mode, at the size that training needs.

Pillow decodes and torch shrinks. Measured against torchvision.io.decode_jpeg: from 500x375 to a short side of 64, 0.39
against 0.57 CPU-ms, from 2000x1500 2.7 against 5.9 (Pillow can decode at a reduced scale); only where no reduction is
possible is torchvision faster (500x375 to 256: 0.90 against 0.74). torch shrinks twice to four times as fast as Pillow.
"""

from __future__ import annotations

import io
import re
import warnings
from functools import cache
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from twofold.images.reading.source import DecodeError

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


def decode(data: bytes | np.ndarray, short_side: int | None) -> Tensor:
    """An image as uint8 (3, H, W) RGB, contiguous.

    data: encoded bytes, or pixels as uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). short_side: pixels; a larger
    image is shrunk (bilinear, antialiased; JPEG decoded at the smallest scale that covers it) until its short side is
    this, and its long side at most 8 times this; nothing is enlarged; None keeps the size. EXIF orientation is applied.
    16-bit values are scaled to 8; 32-bit float must lie in [0, 1]; transparent pixels are laid over white; of an
    animation the first frame counts. Raises DecodeError, also for truncated files and for more than 179 megapixels.
    """
    try:
        pixels, turn = (data, 1) if isinstance(data, np.ndarray) else _pixels(data, short_side)
    except DecodeError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly everything on broken files
        raise DecodeError(explain(error, data if isinstance(data, bytes) else b"")) from error
    x = torch.from_numpy(_rgb(pixels)).permute(2, 0, 1)
    height, width = shrunk_size(x.shape[1], x.shape[2], short_side)
    if (height, width) != tuple(x.shape[1:]):
        x = F.interpolate(x[None], size=(height, width), mode="bilinear", antialias=True)[0]
    return torch.from_numpy(
        np.ascontiguousarray(_turned(x.numpy(), turn))
    )  # numpy: no thread team of its own per worker


def resized_side(size: int) -> int:
    """The short side in pixels to which evaluation resizes before it cuts out its square of `size` pixels: 8 / 7 of it
    from 96 px on (256 for 224), and the square itself below."""
    return round(size * 8 / 7) if size >= 96 else size


def decode_centre(data: bytes | np.ndarray, size: int) -> Tensor:
    """The square that evaluation sees: uint8 (3, size, size) RGB, by one resize from the original.

    As torchvision's Resize(resized_side(size), antialias=True) and CenterCrop(size) of the upright uint8 image, bit for
    bit where torch resizes bytes as bytes (AVX2), within a level elsewhere. JPEG is decoded at full scale. Of an image
    more than 8 times as long as wide only the middle is resized, which may lie a pixel beside. Raises DecodeError: see
    `decode`.
    """
    x, short = decode(data, None), resized_side(size)
    middle = LONGEST * min(x.shape[1:])
    x = _middle(x, min(middle, x.shape[1]), min(middle, x.shape[2]))
    height, width = x.shape[1:]
    tall, wide = (short * side // min(height, width) for side in (height, width))
    if (tall, wide) != (height, width):
        x = F.interpolate(x[None], size=(tall, wide), mode="bilinear", antialias=True)[0]
    return _middle(x, size, size).contiguous()


def open_header(file: BinaryIO) -> Image.Image:
    """The image with its header parsed and its pixels not yet read. Raises whatever Pillow raises."""
    return Image.open(file, formats=_formats())


def image_size(file: BinaryIO | np.ndarray) -> tuple[int, int]:
    """Height and width from the header (before EXIF orientation). Closes the file. Raises DecodeError."""
    if isinstance(file, np.ndarray):
        return file.shape[0], file.shape[1]
    with file:
        try:
            image = open_header(file)
        except Exception as error:  # see decode
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
    """The middle of (3, H, W), as torchvision's CenterCrop places it."""
    top, left = round((x.shape[1] - height) / 2), round((x.shape[2] - width) / 2)
    return x[:, top : top + height, left : left + width]


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _pixels(data: bytes, short_side: int | None) -> tuple[np.ndarray, int]:
    """Pixels (H, W) or (H, W, 3) uint8 and the EXIF orientation still to be applied."""
    image = open_header(io.BytesIO(data))
    if short_side is not None and image.format in ("JPEG", "MPO"):
        height, width = shrunk_size(image.height, image.width, short_side)
        image.draft(None, (width, height))
    image.load()
    turn = orientation(image)  # after load: TIFF turns itself there and says so
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return np.asarray(image), turn
    return _converted(image), turn


def _converted(image: Image.Image) -> np.ndarray:
    """Other modes as uint8 (H, W) or (H, W, 3)."""
    mode = image.mode
    if mode.startswith("I;16") or mode == "I":
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DecodeError("32-bit integers beyond 16 bits, of unknown white level; save it with 8 or 16 bits")
        return ((values * 255 + 32767) // 65535).astype(np.uint8)
    if mode == "F":
        floats = np.asarray(image)
        if not (floats.min() >= 0 and floats.max() <= 1):  # also catches NaN
            raise DecodeError("float values beyond [0, 1], of unknown white level; save it with 8 or 16 bits")
        return np.round(floats * 255).astype(np.uint8)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3:].astype(np.uint16)
        if alpha.min() == 255:
            return rgba[..., :3]
        return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3), writable or not, from arrays of 1, 3 or 4 channels (the fourth is alpha, over white)."""
    if pixels.dtype != np.uint8 or not pixels.size:
        raise DecodeError(f"an array of {pixels.dtype} and shape {list(pixels.shape)} is no image")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _converted(Image.fromarray(pixels, "RGBA"))
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DecodeError(f"an array of shape {list(pixels.shape)} is no image")
    return np.require(pixels, requirements=["C", "W"])  # torch warns of arrays that may not be written


def _turned(x: np.ndarray, orientation: int) -> np.ndarray:
    """(3, H, W) turned upright: the eight EXIF orientations; unknown values leave it as it is."""
    if orientation in (5, 6, 7, 8):
        x = x.transpose(0, 2, 1)
    if orientation in (2, 3, 6, 7):
        x = x[:, :, ::-1]
    if orientation in (3, 4, 7, 8):
        x = x[:, ::-1]
    return x


def explain(error: Exception, data: bytes) -> str:
    """A short clause for an error of Pillow's, given the file's first bytes."""
    if not data:
        return "the file is empty"
    if isinstance(error, Image.DecompressionBombError):
        return "more than 179 megapixels, refused as a decompression bomb"
    if isinstance(error, Image.UnidentifiedImageError):
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
