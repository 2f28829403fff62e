"""What files of strangers may claim of their size: checked against the file and the memory before any is taken."""

from __future__ import annotations

import io
import math
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from twofold.resources import bytes_in_words, free_memory

_HEADER = 10_000  # bytes; numpy's own limit
CHUNK = 2**24  # bytes that are read at a time
LARGE, DENSE = 2**30, 200  # more bytes than this, unpacked from a file so many times smaller, are no data


class ArrayError(Exception):
    """What is wrong with the file, as a clause."""


class HasObjects(ArrayError):
    """An array of Python objects, which are never read."""


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
        raise HasObjects("it holds Python objects, which would have to run")
    if len(shape) > 32 or any(side < 0 for side in shape):
        raise ArrayError("its shape cannot be")
    return Header(dtype, shape, fortran, first.tell())


class ArrayFile:
    """The arrays of an .npz file, of which none is read before it is asked for.

    headers: of those that can be read, by name. objects: names of those that would need unpickling. Raises ArrayError,
    and whatever `zipfile` raises, for a file that is not whole.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._members = zipfile.ZipFile(file)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        self.headers: dict[str, Header] = {}
        self.objects: list[str] = []
        for info in self._members.infolist():
            name = info.filename.removesuffix(".npy")
            try:
                with self._members.open(info) as member:
                    header = read_header(member)
            except HasObjects:
                self.objects.append(name)
                continue
            except ArrayError:
                if name == info.filename:  # no array, and not called one
                    continue
                raise
            if header.start + header.nbytes > info.file_size:
                raise ArrayError(f"{name} claims {header.nbytes:,} bytes and has {info.file_size - header.start:,}")
            self.headers[name], self._infos[name] = header, info

    def read(self, name: str) -> np.ndarray:
        """The values of an array; see `read_values` and `check_size`."""
        header, info = self.headers[name], self._infos[name]
        packed = info.compress_type != zipfile.ZIP_STORED
        check_size(header.nbytes, info.compress_size if packed else info.file_size, packed)
        with self._members.open(info) as file:
            file.read(header.start)
            return read_values(file, header)


def check_size(wanted: int, stored: int, packed: bool = False) -> None:
    """Refuse to take more memory than there is, or than so many bytes of a file can stand for."""
    if not packed and wanted > stored:
        raise ArrayError(f"cut short: {stored:,} of {wanted:,} bytes")
    if packed and wanted > 1100 * stored + 1100:  # what deflate can do at most
        raise ArrayError(f"{stored:,} bytes cannot hold {wanted:,}")
    if packed and wanted > LARGE and wanted > DENSE * stored:
        raise ArrayError(f"{bytes_in_words(stored)} stand for {bytes_in_words(wanted)}, which no data do")
    _check_memory(wanted)


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
    if header.dtype.kind == "U" and int(flat.view(header.dtype.byteorder + "u4").max(initial=0)) > sys.maxunicode:
        raise ArrayError("its text has letters that there are none of")  # with which Python's own text would break
    return values.reshape(header.shape[::-1]).T if header.fortran else values.reshape(header.shape)


class Bounded(io.RawIOBase):
    """What a file unpacks to, of at most LARGE bytes or DENSE times its size; Bomb where there is more."""

    def __init__(self, unpacked: IO[bytes], packed: int) -> None:
        self._file, self._left = unpacked, max(LARGE, DENSE * packed)
        self._says = f"{bytes_in_words(packed)} unpack to more than {bytes_in_words(self._left)}, which no data do"

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the bytes that come next."""
        try:
            data = self._file.read(len(buffer))
        except (EOFError, zlib.error) as error:  # of gzip, besides OSError
            raise OSError(str(error)) from error
        self._left -= len(data)
        if self._left < 0:
            raise Bomb(self._says)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()


class Bomb(OSError):
    """A file that unpacks to more than it can mean."""


def check_parquet(metadata: Any, size: int, columns: Iterable[str] = ()) -> None:
    """Refuse, by an ArrayError, a parquet file that claims more than so many bytes can hold, or than fits the memory.

    metadata: of pyarrow. size: bytes of the file. columns: what is going to be read, as whole columns.
    """
    rows, wanted = metadata.num_rows, set(columns)
    parts = [
        metadata.row_group(g).column(c)
        for g in range(metadata.num_row_groups)
        for c in range(metadata.num_columns if wanted else 0)
    ]
    parts = [part for part in parts if part.path_in_schema.partition(".")[0] in wanted or part.path_in_schema in wanted]
    claimed = max(sum(part.total_uncompressed_size for part in parts), 4 * rows * len(wanted))
    if rows < 0 or any(part.total_uncompressed_size < 0 for part in parts):
        raise ArrayError("it claims less than nothing")
    if max(claimed, rows) > LARGE and max(claimed, rows) > DENSE * size:
        raise ArrayError(f"{bytes_in_words(size)} claim {rows:,} rows of {bytes_in_words(claimed)}, which no data do")
    _check_memory(claimed)


def read_rows(file: Any, size: int, column: str, group: int) -> Any:
    """One column of one row group of a parquet file, a few rows at a time; ArrayError beyond what `Bounded` allows.

    A dictionary in the file may stand for any number of values. file: of pyarrow. size: bytes of the file.
    """
    import pyarrow as pa

    most, parts = max(LARGE, DENSE * size), []
    for batch in file.iter_batches(64, row_groups=[group], columns=[column]):
        parts.append(batch.column(0))
        most -= parts[-1].nbytes
        if most < 0:
            raise ArrayError(f"{bytes_in_words(size)} unpack to {bytes_in_words(max(LARGE, DENSE * size))} and more")
    return pa.chunked_array(parts or [pa.array([], file.schema_arrow.field(column.partition(".")[0]).type)])


def _check_memory(wanted: int) -> None:
    if wanted > (free := free_memory()):
        raise ArrayError(f"{bytes_in_words(wanted)} do not fit into the {bytes_in_words(free)} of memory that are free")


def _clause(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
