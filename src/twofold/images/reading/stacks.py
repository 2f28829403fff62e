"""TIFFs of any number of channels: as bands of one page, or as pages of one channel, as microscopes write them."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import TiffImagePlugin

from twofold.bounded import ArrayError, check_size
from twofold.errors import UserError, clause
from twofold.pixels.batch import MOST_CHANNELS, RGB
from twofold.pixels.reading.failure import DecodeError

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # of TIFF and BigTIFF
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _DESCRIPTION, _TURN, _SAMPLES = 256, 257, 258, 259, 270, 274, 277
_PLAIN = 1  # not compressed
_MOST_PIXELS = 179_000_000  # Pillow's bound
_OTHER_AXES = ("slices", "frames", "SizeZ", "SizeT")

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong stands in our own message, once


@dataclass(frozen=True)
class Page:
    """What a TIFF says of one of its pages. samples: values a pixel. bits: of each. turn: the EXIF orientation."""

    height: int
    width: int
    samples: int
    bits: int
    packed: bool
    turn: int

    @property
    def nbytes(self) -> int:
        """What its pixels take."""
        return self.height * self.width * self.samples * -(-self.bits // 8)


@dataclass(frozen=True)
class Stack:
    """What a TIFF says of its first pages, and its description, in which programs name the axes."""

    pages: Sequence[Page]
    description: str

    def channels(self, wanted: int | None = None) -> int:
        """How many channels an image has: the bands of its first page or, where that has one, its pages, if these are
        `wanted` or are said to be channels (by ImageJ, or in OME-XML)."""
        first = self.pages[0]
        return self.depth if first.samples == 1 and self.depth in (wanted, self._said()) else first.samples

    def is_plain(self, channels: int) -> bool:
        """Whether it is grey, or colour of 8 bits, which Pillow reads without loss."""
        first = self.pages[0]
        return first.samples == channels and (channels == 1 or (channels == RGB and first.bits == 8))

    @property
    def depth(self) -> int:
        """How many pages there are of the first one's size and bits, from the first on; 17 stands for any more."""
        alike = (page == self.pages[0] for page in self.pages)
        return next((i for i, same in enumerate(alike) if not same), len(self.pages))

    def _said(self) -> int | None:
        """How many pages are said to be channels, and nothing else."""
        numbers = {name: int(n) for name, n in re.findall(r"\b(\w+)\s*=\s*\"?(\d{1,9})\b", self.description)}
        others = any(numbers.get(name, 1) > 1 for name in _OTHER_AXES)
        return None if others else numbers.get("channels", numbers.get("SizeC"))


def read_stack(file: BinaryIO) -> Stack | None:
    """The headers of a TIFF's first 17 pages at most; None where it is none, or a damaged one."""
    try:
        pages = list(_pages(file))
        return Stack([_page(tags) for tags in pages], str(pages[0].get(_DESCRIPTION, ""))) if pages else None
    except Exception:  # a damaged one: Pillow raises what it happens to meet
        return None


def _pages(file: BinaryIO) -> Iterator[Any]:
    head = file.read(8)
    if head[:4] not in MARKS:
        return
    if head[2:3] == b"\x2b" or head[3:4] == b"\x2b":
        head += file.read(8)
    tags, seen = TiffImagePlugin.ImageFileDirectory_v2(head), set[int]()
    place = tags.next
    while place and place not in seen and len(seen) <= MOST_CHANNELS:
        seen.add(place)
        file.seek(place)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        tags.load(file)
        place = tags.next
        yield tags


def _page(tags: Any) -> Page:
    turn = int(tags.get(_TURN, 1))
    return Page(
        int(tags[_HEIGHT]),
        int(tags[_WIDTH]),
        int(tags.get(_SAMPLES, 1)),
        int(tags.get(_BITS, (1,))[0]),
        int(tags.get(_COMPRESSION, _PLAIN)) != _PLAIN,
        turn if turn in range(2, 9) else 1,
    )


def read_channels(data: bytes, stack: Stack, channels: int) -> np.ndarray:
    """The pixels of a TIFF as (H, W, channels), as its values are and not turned. Raises DecodeError, and UserError
    where tifffile is not installed."""
    used = stack.pages[: 1 if stack.pages[0].samples == channels else channels]
    try:
        import tifffile
    except ImportError as error:
        raise UserError(f"TIFFs of {channels} channels need the extra: pip install 'twofold[tiff]'.") from error
    try:
        if used[0].height * used[0].width > _MOST_PIXELS:
            raise ArrayError("more than 179 megapixels, refused as a decompression bomb")
        check_size(sum(page.nbytes for page in used), len(data), used[0].packed)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            parts = [_pixels(file.pages[i], page, len(data)) for i, page in enumerate(used)]
    except Exception as error:  # tifffile raises nearly everything on broken files
        raise DecodeError(f"a TIFF that cannot be read ({clause(error)})") from error
    return np.concatenate(parts, 2)


def _pixels(found: Any, page: Page, size: int) -> np.ndarray:
    """A page of tifffile's as (H, W, samples), whether its bands lie one after another or side by side. size: bytes of
    the file."""
    ends = [start + length for start, length in zip(found.dataoffsets, found.databytecounts, strict=True)]
    if max(ends, default=0) > size:
        raise ArrayError(f"cut short: {size:,} of {max(ends):,} bytes")
    pixels, bands_first = found.asarray(), found.axes == "SYX"
    pixels = pixels.transpose(1, 2, 0) if bands_first else pixels
    return pixels.reshape(page.height, page.width, page.samples)
