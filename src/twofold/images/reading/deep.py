"""What a file holds beyond the 8-bit RGB that Pillow gives: 16 bits a channel in colour, a fourth channel, more bands.

Of 16-bit colour Pillow keeps the upper byte. The same file, read with its bytes said to come in the other order, gives
the lower one.
"""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from twofold.images.reading.pixels import STRIP

_COLOUR = re.compile(r"(RGB[AX]?);16([BLN])")
_SAMPLES, _BITS = 277, 258  # of a TIFF: values a pixel, bits of each

# It writes a line for every TIFF of more bands than it knows; the reason stands in our own message, once.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)


def is_deep(image: Image.Image) -> bool:
    """Whether an image that is not yet loaded has more than 8 bits a channel that can be had."""
    return image.mode.startswith("I") or image.mode == "F" or is_deep_colour(image)


def says_white(image: Image.Image) -> bool:
    """Whether the file of an image that is not yet loaded says which level is white, so that Pillow makes it 65,535."""
    return any(tile[0] in ("ppm", "ppm_plain") for tile in getattr(image, "tile", [])[:1])


def is_deep_colour(image: Image.Image) -> bool:
    """Whether an image that is not yet loaded is colour of 16 bits a channel, of which Pillow gives 8."""
    return bool(_COLOUR.fullmatch(_raw(image)))


def has_fourth(image: Image.Image) -> bool:
    """Whether an image that is not yet loaded has a fourth channel beside red, green and blue, which may be alpha."""
    return image.mode == "RGBA" and not _raw(image).startswith("LA")


def bands(image: Image.Image) -> int:
    """How many values a pixel has, as the file says, of which Pillow may give fewer."""
    tags = getattr(image, "tag_v2", None) or {}
    return max(len(image.getbands()), int(tags.get(_SAMPLES, 1)))


def strips(image: Image.Image) -> Iterator[np.ndarray]:
    """A loaded image row by row, some rows at a time: as one array Pillow would hold it several times over."""
    yield from map(np.asarray, cut(image))


def cut(image: Image.Image) -> Iterator[Image.Image]:
    """A loaded image in pieces of some rows."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def deep_strips(high: Image.Image, low: Image.Image) -> Iterator[np.ndarray]:
    """16-bit colour, uint16 (rows, W, 3 or 4), some rows at a time.

    high, low: the same file opened twice, not yet loaded; see `is_deep_colour`.
    """
    low.tile = [_swapped(tile) for tile in low.tile]  # type: ignore[attr-defined]
    high.load()
    low.load()
    for upper, lower in zip(strips(high), strips(low), strict=True):
        yield upper.astype(np.uint16) << 8 | lower


def tiff_of_bands(data: bytes) -> str:
    """What kind of TIFF it is, where Pillow cannot read it for its bands: "a TIFF of 13 bands of 16 bits"; else ""."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:3] == b"\x2b" else 8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        count, bits = int(tags.get(_SAMPLES, 1)), tags.get(_BITS, (1,))
        return f"a TIFF of {count} bands of {int(bits[0])} bits" if count > 1 else ""
    except Exception:  # no TIFF, or a damaged one: Pillow raises what it happens to meet
        return ""


def _raw(image: Image.Image) -> str:
    """How the file lays out its pixels, in Pillow's words."""
    for tile in getattr(image, "tile", [])[:1]:
        args = tile[3]
        first = args[0] if isinstance(args, tuple) and args else args
        return first if isinstance(first, str) else ""
    return ""


def _swapped(tile: Any) -> Any:
    """A piece of the file, read with the bytes of each value in the other order."""
    args = tile[3]
    raw = args if isinstance(args, str) else args[0]
    order = raw[-1] if raw[-1] != "N" else sys.byteorder[0].upper()
    swapped = raw[:-1] + ("L" if order == "B" else "B")
    new = (*tile[:3], swapped if isinstance(args, str) else (swapped, *args[1:]))
    return tile._make(new) if hasattr(tile, "_make") else new
