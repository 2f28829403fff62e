"""Arrays of an HDF5 file, Minari's among them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading.jpeg import decoded, is_jpeg
from twofold.control.reading.stores import LINKED, Room, Unreadable, check_claim, damage, is_of_pictures, regular
from twofold.errors import UserError

DEPTH = 4  # of groups in groups
SHORTEST_JPEG = 100  # bytes


class Hdf5:
    """The arrays of an HDF5 file. called: its name, for messages. size: its bytes. Links to other files, and what lies
    in other files, are not followed."""

    def __init__(self, file: Any, called: str, size: int, room: Room) -> None:
        self.file, self.called, self.size, self.room = file, called, size, room
        self._links: dict[str, str] = {}
        self.skipped: Mapping[str, str] = self._links
        self._last: tuple[str, Any] = ("", None)  # opening a dataset takes longer than reading a small one

    def names(self) -> list[str]:
        """See `Arrays`."""
        with damage():
            return list(_datasets(self.file, "", DEPTH, set(), self._links))

    def rows(self, name: str) -> int:
        """See `Arrays`."""
        return (*self._shape(name), 0)[0]

    def nbytes(self, name: str) -> int:
        """See `Arrays`."""
        with damage():
            return math.prod(self._shape(name)) * int(self._data(name).dtype.itemsize)

    def has_pictures(self, name: str) -> bool:
        """See `Arrays`."""
        with damage():
            return is_of_pictures(self._data(name).dtype, len(self._shape(name))) or self.is_lossy(name)

    def is_lossy(self, name: str) -> bool:
        """See `Arrays`. A JPEG a row, as Minari stores them: lists of bytes, or rows of bytes where all are as long."""
        import h5py

        with damage():
            shape, data = self._shape(name), self._data(name)
            listed = h5py.check_vlen_dtype(data.dtype) == np.uint8 and len(shape) == 1
            alike = data.dtype == np.uint8 and len(shape) == 2 and shape[1] >= SHORTEST_JPEG
            return (listed or alike) and shape[0] > 0 and is_jpeg(self._own(name)[0])

    def read(self, name: str) -> NDArray[Any]:
        """See `Arrays`."""
        import h5py

        data = self._own(name)
        if data.shape == () and h5py.check_string_dtype(data.dtype):
            with damage():
                return np.asarray(data.asstr(errors="replace")[()])
        if self.is_lossy(name):
            return decoded(data, f"{self.called}: {name}", self.room)
        if data.dtype.hasobject:
            raise Unreadable(f"{name} holds texts or lists of unequal length, which are no numbers")
        wanted = self.nbytes(name)
        check_claim(wanted, self.size)
        self.room.take(wanted, f"{self.called}: {name}, {data.dtype}{list(data.shape)},")
        with damage():
            return np.asarray(data[()])

    def _shape(self, name: str) -> tuple[int, ...]:
        with damage():
            return tuple(self._data(name).shape or ())

    def _data(self, name: str) -> Any:
        if self._last[0] != name:
            self._last = (name, self.file[name])
        return self._last[1]

    def _own(self, name: str) -> Any:
        """A dataset whose values lie in this very file."""
        with damage():
            data = self._data(name)
            if data.is_virtual or data.external:
                raise Unreadable(f"{name} lies in other files, which are not followed")
            if data.shape is None:
                raise Unreadable(f"{name} is empty")
            return data


@contextmanager
def opened_hdf5(file: Path, room: Room) -> Iterator[Hdf5]:
    """The arrays of an HDF5 file. Raises Unreadable where it is damaged, UserError where h5py is missing."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(f'{file} needs h5py: pip install "twofold[control]".') from error
    with regular(file) as handle:
        size = os.fstat(handle.fileno()).st_size
    with damage():
        stored = h5py.File(file, "r")
    with stored:
        yield Hdf5(stored, str(file), size, room)


def _datasets(group: Any, before: str, depth: int, seen: set[Any], skipped: dict[str, str]) -> Iterator[str]:
    """Names of all datasets below a group; a group that lies in several places, or in itself, is entered once. Links
    are added to what is skipped."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            skipped[before + name] = LINKED
            continue
        found = group[name]
        if isinstance(found, h5py.Dataset):
            yield before + name
        elif isinstance(found, h5py.Group) and depth and found.id not in seen:
            seen.add(found.id)
            yield from _datasets(found, f"{before}{name}/", depth - 1, seen, skipped)
