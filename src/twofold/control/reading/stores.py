"""Files that hold arrays by name, opened so that they decide nothing: neither what runs nor how much is taken."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from numpy.typing import NDArray

from twofold.bounded import DENSE, LARGE, ArrayFile
from twofold.errors import UserError, clause
from twofold.resources import bytes_in_words

PICKLED = "holds Python objects, which would have to run"
LINKED = "is a link, which is not followed"
SHARE = 0.8  # of the free memory that a log may take


class Unreadable(Exception):
    """Why a file or an episode cannot be read, as a clause."""


@contextmanager
def damage() -> Iterator[None]:
    """Whatever a library trips over in a stranger's file, as Unreadable."""
    try:
        yield
    except (Unreadable, UserError):
        raise
    except Exception as error:  # zip files, numpy's headers and HDF5 can be wrong in many ways
        raise Unreadable(clause(error)) from error


@dataclass
class Room:
    """The memory that a log may take. free: bytes that were free before anything was read. held: that it takes now."""

    free: int
    held: int = 0

    def check(self, wanted: int, what: str) -> None:
        """Refuse what would take more than most of the free memory, together with all that is held already."""
        allowed = SHARE * self.free
        if self.held + wanted > allowed:
            after = f" after the {bytes_in_words(self.held)} before it" if self.held else ""
            raise UserError(
                f"{what} would take {bytes_in_words(wanted)} of memory{after}, and {SHARE:.0%} of what is free are "
                f"{bytes_in_words(allowed)}: give fewer episodes at a time."
            )

    def take(self, wanted: int, what: str) -> None:
        """Hold so many more bytes; see `check`."""
        self.check(wanted, what)
        self.held += wanted

    @contextmanager
    def lent(self) -> Iterator[None]:
        """What is taken in this block is given back at its end."""
        before = self.held
        try:
            yield
        finally:
            self.held = before


class Arrays(Protocol):
    """Arrays by name; a name may have parts, with slashes between. size: bytes of their file. skipped: what is there
    and never read, with the reason as a clause that follows the name."""

    size: int
    skipped: Mapping[str, str]

    def names(self) -> list[str]:
        """Of all arrays that can be read."""
        ...

    def rows(self, name: str) -> int:
        """The length of the first axis, 0 where there is none; nothing is read."""
        ...

    def nbytes(self, name: str) -> int:
        """What an array claims to take; nothing is read."""
        ...

    def has_pictures(self, name: str) -> bool:
        """Whether an array looks like pictures, by its shape and type; nothing is read, or the first row."""
        ...

    def is_lossy(self, name: str) -> bool:
        """Whether pictures were stored with losses."""
        ...

    def read(self, name: str) -> NDArray[Any]:
        """An array. Raises Unreadable where it is damaged or claims too much, UserError where there is no room."""
        ...


class Npz:
    """The arrays of an .npz file. called: its name, for messages. size: its bytes."""

    def __init__(self, file: ArrayFile, called: str, size: int, room: Room) -> None:
        self.file, self.called, self.size, self.room = file, called, size, room
        self.skipped: Mapping[str, str] = dict.fromkeys(file.objects, PICKLED)

    def names(self) -> list[str]:
        """See `Arrays`."""
        return list(self.file.headers)

    def rows(self, name: str) -> int:
        """See `Arrays`."""
        return (*self.file.headers[name].shape, 0)[0]

    def nbytes(self, name: str) -> int:
        """See `Arrays`."""
        return self.file.headers[name].nbytes

    def has_pictures(self, name: str) -> bool:
        """See `Arrays`."""
        header = self.file.headers[name]
        return is_of_pictures(header.dtype, len(header.shape))

    def is_lossy(self, name: str) -> bool:
        """See `Arrays`."""
        return False

    def read(self, name: str) -> NDArray[Any]:
        """See `Arrays`."""
        check_claim(self.nbytes(name), self.size)
        self.room.take(self.nbytes(name), f"{self.called}: {name}, {self.file.headers[name]},")
        with damage():
            return self.file.read(name)


@contextmanager
def opened_npz(file: Path, room: Room) -> Iterator[Npz]:
    """The arrays of an .npz file. Raises Unreadable where it is damaged."""
    with regular(file) as handle:
        with damage():
            arrays = Npz(ArrayFile(handle), str(file), os.fstat(handle.fileno()).st_size, room)
        yield arrays


@contextmanager
def regular(file: Path) -> Iterator[IO[bytes]]:
    """A regular file. Raises Unreadable for a pipe or a device, which might never end."""
    with damage():
        handle = open(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")  # noqa: SIM115
    with handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise Unreadable("it is no regular file")
        yield handle


def is_of_pictures(dtype: Any, dimensions: int) -> bool:
    """Whether rows of this type, with so many dimensions in all, are pictures rather than vectors."""
    return dimensions >= 3 and (dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize == 1))


def check_claim(wanted: int, stored: int) -> None:
    """Refuse an array that claims more bytes than a file of so many can mean."""
    if wanted < 0 or (wanted > LARGE and wanted > DENSE * stored):
        raise Unreadable(f"{bytes_in_words(stored)} claim to hold {bytes_in_words(wanted)}, which no data do")
