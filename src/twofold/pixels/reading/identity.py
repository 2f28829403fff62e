"""Whether data are the same, wherever they lie and whenever they were copied: names, sizes, pieces of their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from twofold.errors import UserError
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.words import digest

PIECES, PIECE = 32, 8192  # bytes; small data are looked at in whole
FETCHING = 8  # threads, since a piece from afar is mostly waiting

Read = Callable[[int, int, int], bytes]  # (number of the file, first byte, how many) -> bytes


def content_digest(names: Sequence[str], sizes: Sequence[int], read: Read, more: Iterable[object] = ()) -> str:
    """A digest of files: names, sizes, and up to 32 pieces of 8 KiB spread evenly over all their bytes.

    read: raises OSError where a file cannot be read, which counts as empty, DecodeError where it cannot be fetched,
    which is a UserError. more: further plain values.
    """
    ends = np.cumsum(np.asarray(sizes, np.int64))
    total = int(ends[-1]) if len(ends) else 0
    starts = np.unique(np.linspace(0, max(total - PIECE, 0), PIECES if total else 0).astype(np.int64))

    def piece(start: int) -> bytes:
        """Bytes of one file after the other."""
        found, at, end = b"", start, min(start + PIECE, total)
        while at < end:
            file = int(np.searchsorted(ends, at, side="right"))
            size = min(end, int(ends[file])) - at
            try:
                found += read(file, at - int(ends[file]) + int(sizes[file]), size)
            except OSError:
                found += b"-"
            except DecodeError as error:
                raise UserError(f"{names[file]} {error.reason}: give the same command again.") from error
            at += size
        return found

    with ThreadPoolExecutor(FETCHING) as threads:
        pieces = [data.hex() for data in threads.map(piece, map(int, starts))]
    listed = (part for name, size in zip(names, sizes, strict=True) for part in (name, int(size)))
    return digest([*more, *listed, *pieces])


def file_digest(path: str | Path) -> str:
    """The content digest of a local file, whatever its name."""

    def read(file: int, start: int, size: int) -> bytes:
        with open(path, "rb") as handle:
            handle.seek(start)
            return handle.read(size)

    return content_digest([""], [os.stat(path).st_size], read)


def wherever(names: Sequence[str]) -> Sequence[str]:
    """Names without the folder that all of them begin with, where they are full paths."""
    if not names or not all(map(os.path.isabs, names)):
        return names
    above = os.path.commonpath([os.path.dirname(name) for name in {min(names), max(names)}])
    return [os.path.relpath(name, above) for name in names]
