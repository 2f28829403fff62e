"""Files that hold arrays by name, opened so that they decide nothing: neither what runs nor how much is taken."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twofold.bounded import ArrayError, ArrayFile
from twofold.errors import UserError, clause
from twofold.resources import bytes_in_words, free_memory

SHARE = 0.8  # of the free memory that a log may take
HDF5 = (".h5", ".hdf5")
MOST_EPISODES = 10_000_000


class Unreadable(Exception):
    """Why a file cannot be read, as a clause."""


class Arrays(Protocol):
    """Arrays by name; a name may have parts, with slashes between."""

    def names(self) -> list[str]:
        """Of all arrays."""
        ...

    def read(self, name: str) -> NDArray[Any]:
        """An array."""
        ...

    def lossy(self, name: str) -> bool:
        """Whether it was stored with losses."""
        ...


class Npz:
    """The arrays of an .npz file."""

    def __init__(self, file: ArrayFile) -> None:
        self.file = file

    def names(self) -> list[str]:
        """See `Arrays`."""
        return list(self.file.headers)

    def read(self, name: str) -> NDArray[Any]:
        """See `Arrays`."""
        try:
            hold(self.file.headers[name].nbytes, name)
            return self.file.read(name)
        except (ArrayError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise Unreadable(clause(error)) from error

    def lossy(self, name: str) -> bool:
        """See `Arrays`."""
        return False


class Group:
    """The arrays of an HDF5 group and of those in it. Links to other files, and what lies in other files, are not
    followed."""

    def __init__(self, group: Any) -> None:
        self.group = group

    def names(self) -> list[str]:
        """See `Arrays`."""
        return list(_datasets(self.group))

    def read(self, name: str) -> NDArray[Any]:
        """See `Arrays`."""
        data = self.group[name]
        if data.is_virtual or data.external:
            raise Unreadable(f"{name} lies in other files, which are not followed")
        if data.dtype.kind == "O":
            if _has_jpegs(data):
                return _decoded(data, name)
            raise Unreadable(f"{name} holds texts or lists of unequal length, which are no numbers")
        hold(data.size * data.dtype.itemsize, name)
        try:
            return np.asarray(data[()])
        except (OSError, ValueError, MemoryError) as error:
            raise Unreadable(clause(error)) from error

    def lossy(self, name: str) -> bool:
        """See `Arrays`."""
        return self.group[name].dtype.kind == "O"


def _datasets(group: Any, before: str = "", depth: int = 4) -> Iterator[str]:
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        found = group[name]
        if isinstance(found, h5py.Dataset):
            yield before + name
        elif depth:
            yield from _datasets(found, f"{before}{name}/", depth - 1)


def _has_jpegs(data: Any) -> bool:
    """Whether it holds a JPEG a row, as Minari stores pictures."""
    import h5py

    plain = h5py.check_vlen_dtype(data.dtype) == np.uint8 and data.ndim == 1 and len(data)
    return bool(plain) and bytes(data[0][:2]) == b"\xff\xd8"


def _decoded(data: Any, name: str) -> NDArray[np.uint8]:
    from PIL import Image

    frames: NDArray[np.uint8] | None = None
    for row in range(len(data)):
        try:
            with Image.open(io.BytesIO(data[row].tobytes()), formats=["JPEG"]) as picture:
                if frames is None:
                    hold(len(data) * picture.width * picture.height * 3, name)
                pixels = np.asarray(picture)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise Unreadable(f"picture {row} of {name}: {clause(error)}") from error
        if frames is None:
            frames = np.empty((len(data), *pixels.shape), np.uint8)
        if pixels.shape != frames.shape[1:]:
            raise Unreadable(f"picture {row} of {name} has another size than the first")
        frames[row] = pixels
    assert frames is not None
    return frames


def hold(wanted: int, what: str) -> None:
    """Refuse an array that would take more than most of the free memory."""
    allowed = SHARE * free_memory()
    if wanted > allowed:
        raise UserError(
            f"{what} would take {bytes_in_words(wanted)} of memory, and {SHARE:.0%} of what is free are "
            f"{bytes_in_words(allowed)}: give fewer episodes at a time."
        )


@contextmanager
def opened(file: Path) -> Iterator[Npz | Group]:
    """The arrays of a file. Raises Unreadable where it is damaged."""
    if file.suffix.lower() in HDF5:
        try:
            import h5py
        except ImportError as error:
            raise UserError(f'{file} needs h5py: pip install "twofold[control]".') from error
        try:
            stored = h5py.File(file, "r")
        except OSError as error:
            raise Unreadable(clause(error)) from error
        with stored:
            yield Group(stored)
        return
    try:
        with file.open("rb") as handle:
            arrays = ArrayFile(handle)
            if arrays.objects:
                raise Unreadable(f"{arrays.objects[0]} holds Python objects, which would have to run")
            yield Npz(arrays)
    except (ArrayError, OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise Unreadable(clause(error)) from error


def files_of(path: Path) -> list[Path]:
    """The files of a log: itself, or those below a folder, in order of their names. Raises UserError where there are
    none."""
    if path.is_file():
        if path.suffix.lower() not in (".npz", *HDF5):
            raise UserError(f"{path} is no .npz, .h5 or .hdf5 file of episodes: give one, or a folder of such.")
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} does not exist: give an .npz or HDF5 file of episodes, or a folder of such.")
    found = [
        Path(place, name)
        for place, _, names in os.walk(path)
        for name in names
        if name.lower().endswith((".npz", *HDF5)) and not name.startswith(".")
    ]
    if not found:
        raise UserError(f"{path} holds no .npz, .h5 or .hdf5 file of episodes.")
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _pieces(file)])


def _pieces(file: Path) -> list[str]:
    """A path in letters and numbers, so that 10 comes after 9; texts before numbers are kept apart by their places."""
    return re.split(r"([0-9]+)", str(file))
