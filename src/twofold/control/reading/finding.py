"""The files of a log, in order, and their opening."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

from twofold.catalog.looking import METADATA, sets_of_minari
from twofold.control.reading.hdf5 import opened_hdf5
from twofold.control.reading.minari import opened_minari
from twofold.control.reading.stores import Arrays, Room, opened_npz
from twofold.errors import UserError
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.walking import files_below

HDF5 = (".h5", ".hdf5")
ENDINGS = (".npz", *HDF5)
_NUMBER = re.compile(r"([0-9]+)")


def files_of(path: Path) -> list[Path]:
    """The files of a log: itself, or those below a folder, in order of their names, 10 after 9. Folders that are linked
    to count, hidden ones do not. Raises UserError where there are none."""
    if path.is_dir():
        names = files_below(Place(str(path)), Counter(), lambda name: False)
        found = [path / name for name in names if name.lower().endswith(ENDINGS)]
        found += [Path(file) for file in sets_of_minari(str(path))]
        if not found:
            raise UserError(
                f"{path} holds no .npz, .h5 or .hdf5 file of episodes, nor a data set of Minari: name a folder that "
                f"does."
            )
        return sorted(found, key=_order)
    if not path.exists():
        raise UserError(f"{path} does not exist: give an .npz or HDF5 file of episodes, or a folder of such.")
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"{path} is no .npz, .h5 or .hdf5 file of episodes: give one, or a folder of such.")
    return [path]


def opened(file: Path, room: Room) -> AbstractContextManager[Arrays]:
    """The arrays of a file, or of the data set of Minari that it tells of. Raises Unreadable where it is damaged."""
    if file.name == METADATA:
        return opened_minari(file, room)
    return opened_hdf5(file, room) if file.suffix.lower() in HDF5 else opened_npz(file, room)


def _order(file: Path) -> list[tuple[str, int]]:
    """A path as pairs of a text and the number after it."""
    pieces = [*_NUMBER.split(str(file)), "0"]
    return [(text, int(number)) for text, number in zip(pieces[::2], pieces[1::2], strict=True)]
