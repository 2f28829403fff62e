"""Prepared videos: every frame as a JPEG and, where it was asked for, the motion of each, in one file with an index.

MAGIC, the JPEGs one after the other, the grids of 8 frames at a time packed by zlib, the index, and 8 bytes that say
where it begins. The index: the length of a JSON header (uint32), the header, and arrays whose lengths follow from it.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from twofold.pixels.reading.failure import DecodeError
from twofold.videos.motion.painting import CELL, Grids
from twofold.videos.reading.table import FrameTable, Recording, Start, Stretch
from twofold.videos.reading.video import shrunk

ENDING = ".frames"
MAGIC = b"twofold frames 1"
CHUNK = 8  # frames whose grids are packed together
MOST_HEADER, MOST_SIDE = 1 << 14, 1 << 14


@dataclass(frozen=True)
class Index:
    """Of a prepared video. key: what it was made from and how. height, width: of its pictures. stored: height and width
    of the frames whose motion it holds, zeros where it holds none. deinterlaced: its pictures were made whole. times:
    float64 (n,) seconds. keys, begins: bool (n,), keyframes and first frames of stretches. ends: int64 (n + 1,), where
    JPEGs begin and end. motion: int64 (m + 1,), the same of the grids."""

    key: str
    height: int
    width: int
    stored: tuple[int, int]
    claimed: int
    deinterlaced: bool
    times: np.ndarray
    keys: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    motion: np.ndarray

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of a grid."""
        return -(-self.stored[0] // CELL), -(-self.stored[1] // CELL)

    def table(self) -> FrameTable:
        """The frames as reading needs them; any of them can be read by itself, and starts are the keyframes."""
        count, first = len(self.times), np.flatnonzero(self.begins).tolist()
        stretches = tuple(Stretch(a, b - 1) for a, b in zip(first, [*first[1:], count], strict=True))
        starts = tuple(Start(int(i), int(i), int(i)) for i in np.flatnonzero(self.keys)) or (Start(0, 0, 0),)
        return FrameTable(self.times, np.arange(count), starts, stretches, (Recording(0, count - 1, 0),), self.claimed)

    def written(self) -> bytes:
        """The bytes of the index."""
        about = {"key": self.key, "frames": len(self.times), "height": self.height, "width": self.width}
        about |= {
            "stored": self.stored,
            "claimed": self.claimed,
            "chunks": len(self.motion) - 1,
            "deinterlaced": self.deinterlaced,
        }
        header = json.dumps(about).encode()
        flags = [self.keys.astype("u1"), self.begins.astype("u1")]
        arrays = [self.times.astype("<f8"), *flags, self.ends.astype("<i8"), self.motion.astype("<i8")]
        return b"".join([len(header).to_bytes(4, "little"), header, *(array.tobytes() for array in arrays)])


def read_index(file: BinaryIO) -> Index:
    """The index of a prepared video. Raises DecodeError where the file is no such, or its parts do not fit it."""
    try:
        return _index(file)
    except (LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DecodeError("is no prepared video, or a damaged one") from error


def _index(file: BinaryIO) -> Index:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC or size < len(MAGIC) + 12:
        raise ValueError
    file.seek(size - 8)
    start = int.from_bytes(file.read(8), "little")
    if not len(MAGIC) <= start <= size - 12:
        raise ValueError
    file.seek(start)
    data = file.read(size - 8 - start)
    length = int.from_bytes(data[:4], "little")
    if length > MOST_HEADER:
        raise ValueError
    about = json.loads(data[4 : 4 + length])
    count, chunks, claimed = (_whole(about[name]) for name in ("frames", "chunks", "claimed"))
    height, width = _whole(about["height"]), _whole(about["width"])
    stored = (_whole(about["stored"][0]), _whole(about["stored"][1]))
    kinds = [("<f8", count), ("u1", count), ("u1", count), ("<i8", count + 1), ("<i8", chunks + 1)]
    if not count or len(data) - 4 - length != sum(np.dtype(kind).itemsize * many for kind, many in kinds):
        raise ValueError
    arrays, at = [], 4 + length
    for kind, many in kinds:
        arrays.append(np.frombuffer(data, kind, many, at))
        at += arrays[-1].nbytes
    times, keys, begins, ends, motion = arrays
    sides = (height, width, *(stored if chunks else (1, 1)))
    fits = ends[0] == len(MAGIC) and motion[0] == ends[-1] and motion[-1] == start
    rises = (np.diff(ends) > 0).all() and (np.diff(motion) > 0).all() and np.isfinite(times).all()
    if not (fits and rises and begins[0] and all(0 < side <= MOST_SIDE for side in sides)):
        raise ValueError
    falls = ((np.diff(times) < 0) & (begins[1:] == 0)).any()
    if chunks not in (0, -(-count // CHUNK)) or max(keys.max(), begins.max()) > 1 or falls:
        raise ValueError
    key = about["key"] if isinstance(about["key"], str) else ""
    deinterlaced = about.get("deinterlaced") is True
    return Index(key, height, width, stored, claimed, deinterlaced, times, keys > 0, begins > 0, ends, motion)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


class PackedVideo:
    """A prepared video, with what reading needs of a `Video`. open_file: gives its file, seekable, as often as it is
    asked. taken: bytes of pictures and motion that were read so far. Not for several threads at once."""

    def __init__(self, open_file: Callable[[], BinaryIO]) -> None:
        self._open_file = open_file
        self._file: BinaryIO | None = None
        self.taken = 0
        try:
            self.index = read_index(self.file)
        except DecodeError:
            self.close()
            raise
        self.table = self.index.table()

    @property
    def file(self) -> BinaryIO:
        """The open file."""
        if self._file is None:
            self._file = self._open_file()
        return self._file

    def __len__(self) -> int:
        return len(self.table)

    @property
    def lost(self) -> int:
        """As of `Video`: what is prepared comes."""
        return 0

    def size(self) -> tuple[int, int]:
        """Height and width of its pictures."""
        return self.index.height, self.index.width

    def read(self, numbers: Sequence[int], short_side: int | None = None) -> np.ndarray:
        """As `Video.read`."""
        own = self.size()
        out = pictures_of([self._bytes(self.index.ends, number) for number in self._held(numbers)], own)
        if shrunk(*own, short_side) == own:
            return out
        high, wide = shrunk(*own, short_side)
        return np.stack([np.asarray(Image.fromarray(one).resize((wide, high), Image.Resampling.BOX)) for one in out])

    def whole(self, short_side: int | None = None) -> np.ndarray:
        """All frames, as `read` gives them."""
        return self.read(range(len(self)), short_side)

    def motion(self, numbers: Sequence[int]) -> Grids:
        """As `Video.motion`."""
        if len(self.index.motion) < 2:
            raise DecodeError("was prepared without its motion")
        held = self._held(numbers)
        chunks = {chunk: self._chunk(chunk) for chunk in sorted({number // CHUNK for number in held})}
        cells = np.stack([chunks[number // CHUNK][number % CHUNK] for number in held])
        return Grids(cells, *self.index.stored)

    def close(self) -> None:
        """Let go of the file; it is opened again where more is read."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _held(self, numbers: Sequence[int]) -> list[int]:
        wanted = [int(number) for number in numbers]
        if not wanted or min(wanted) < 0 or max(wanted) >= len(self):
            raise IndexError(f"frames {wanted} of {len(self)}")
        return wanted

    def _bytes(self, ends: np.ndarray, number: int) -> bytes:
        self.file.seek(int(ends[number]))
        found = self.file.read(int(ends[number + 1] - ends[number]))
        self.taken += len(found)
        return found

    def _chunk(self, number: int) -> np.ndarray:
        count = min(CHUNK, len(self) - number * CHUNK)
        shape = (count, *self.index.cells, 2)
        unpack = zlib.decompressobj()
        wanted = int(np.prod(shape))
        try:
            data = unpack.decompress(self._bytes(self.index.motion, number), wanted + 1)
        except zlib.error as error:
            raise DecodeError("has damaged motion") from error
        if len(data) != wanted:
            raise DecodeError("has damaged motion")
        return np.frombuffer(data, np.int8).reshape(shape)


def jpeg_of(picture: np.ndarray, quality: int) -> bytes:
    """A picture (H, W, 3) as the bytes of a JPEG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def pictures_of(jpegs: Sequence[bytes], size: tuple[int, int]) -> np.ndarray:
    """JPEGs of one size as uint8 (T, H, W, 3). Raises DecodeError where one is damaged or of another size."""
    if any(jpeg_size(data) != size for data in jpegs):  # before memory is taken for what the index claims
        raise DecodeError("has a damaged picture")
    out = np.empty((len(jpegs), *size, 3), np.uint8)
    for place, data in enumerate(jpegs):
        out[place] = _picture(data, size)
    return out


def _picture(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """A JPEG of this size as uint8 (H, W, 3)."""
    try:  # the decoder itself: finding out the format takes as long again
        return np.asarray(Image.frombytes("RGB", size[::-1], data, "jpeg", "RGB", ""))
    except (ValueError, OSError, SyntaxError) as error:
        raise DecodeError("has a damaged picture") from error


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width by the frame header of a JPEG, or None."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    return None
