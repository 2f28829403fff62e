"""Arrays out of files whose headers may claim anything: sizes are checked before memory is taken."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import IO

import numpy as np

from twofold.images.reading.resources import bytes_in_words, free_memory

_HEADER = 10_000  # bytes; numpy's own limit
CHUNK = 2**24  # bytes that are read at a time
LARGE, DENSE = 2**30, 200  # more bytes than this, unpacked from a file so many times smaller, are no images


class ArrayError(Exception):
    """What is wrong with the file, as a clause."""


@dataclass(frozen=True)
class Header:
    """What an .npy file says of its array. start: where its values begin."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def nbytes(self) -> int:
        """How many bytes the values have."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{str(self.dtype)[:40]}{list(self.shape)}"


def read_header(file: IO[bytes]) -> Header:
    """The header of an .npy file. Raises ArrayError where it is none, or holds Python objects."""
    first = io.BytesIO(file.read(_HEADER))
    try:
        version = np.lib.format.read_magic(first)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy about Python 2, which is nobody's matter here
            shape, fortran, dtype = read(first, max_header_size=_HEADER)
    except Exception as error:  # numpy parses Python, in which much can go wrong
        raise ArrayError(_clause(error)) from error
    if dtype.hasobject:
        raise ArrayError("it holds Python objects, which would have to run")
    if len(shape) > 32 or any(side < 0 for side in shape):
        raise ArrayError("its shape cannot be")
    return Header(dtype, shape, fortran, first.tell())


def check_size(wanted: int, stored: int, packed: bool = False) -> None:
    """Refuse to take more memory than there is, or than so many bytes of a file can stand for."""
    if not packed and wanted > stored:
        raise ArrayError(f"cut short: {stored:,} of {wanted:,} bytes")
    if packed and wanted > 1100 * stored + 1100:  # what deflate can do at most
        raise ArrayError(f"{stored:,} bytes cannot hold {wanted:,}")
    if packed and wanted > LARGE and wanted > DENSE * stored:
        raise ArrayError(f"{bytes_in_words(stored)} stand for {bytes_in_words(wanted)}, which no images do")
    if wanted > (free := free_memory()):
        raise ArrayError(f"{bytes_in_words(wanted)} do not fit into the {bytes_in_words(free)} of memory that are free")


def read_values(file: IO[bytes], header: Header) -> np.ndarray:
    """The array whose values come next in a file. Raises ArrayError where they are too few."""
    flat = np.empty(header.nbytes, np.uint8)
    done = 0
    while done < len(flat):
        data = file.read(min(CHUNK, len(flat) - done))
        if not data:
            raise ArrayError(f"cut short: {done:,} of {len(flat):,} bytes")
        flat[done : done + len(data)] = np.frombuffer(data, np.uint8)
        done += len(data)
    if not header.dtype.itemsize:
        return np.empty(header.shape, header.dtype)
    values = flat.view(header.dtype)
    return values.reshape(header.shape[::-1]).T if header.fortran else values.reshape(header.shape)


def _clause(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
