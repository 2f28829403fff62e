"""The files below a root, and how one is found by what a label file calls it. Nothing outside the root is named."""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from twofold.errors import UserError, clause
from twofold.images.reading.pairing import plain
from twofold.images.reading.source import is_image
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.places import Place

MOST_LABELS = 2**24  # bytes of a text or XML file of labels


def files_below(root: Path) -> list[str]:
    """All files below a folder that are not hidden, relative with "/", sorted. Each real folder is entered once."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if base == "." else base + "/"
        found += [prefix + name for name in files if not name.startswith(".")]
    return sorted(found)


def is_end_of_other(one: str, other: str) -> bool:
    """Whether two names of a file differ only in how much of the path they tell."""
    one, other = (f"/{plain(unquote(name).partition('?')[0])}".lower() for name in (one, other))
    return one.endswith(other) or other.endswith(one)


def read_text(file: Path, most: int = MOST_LABELS) -> tuple[str, bool]:
    """The text of a small file, and whether it is UTF-8; what is not is read as Latin-1. Raises UserError."""
    data = read_bytes(file, most)
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def read_bytes(file: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises UserError where there are more, or it cannot be read."""
    try:
        return Place(str(file)).read(most)
    except DecodeError as error:
        raise UserError(f"{file} {error.reason.split(',')[0]}, too many for labels.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror or clause(error)}): mend or remove it.") from error


class Shelf:
    """File names, to be found by what a label file calls them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._full: dict[str, list[int]] = defaultdict(list)
        self._base: dict[str, list[int]] = defaultdict(list)
        self._stem: dict[str, list[int]] = defaultdict(list)
        for i, name in enumerate(names):
            path = plain(name)
            base = posixpath.basename(path).lower()
            self._full[path].append(i)
            self._base[base].append(i)
            self._stem[posixpath.splitext(base)[0]].append(i)

    def find(self, wanted: str) -> list[int]:
        """Its position; none where nothing fits, several where several fit equally well.

        The whole path counts first, then the longest end of it, down to the name alone, with or without its suffix; all
        of it as it stands, then with %20 and the like decoded, then without the query of a URL.
        """
        spellings = dict.fromkeys(map(plain, (wanted, unquote(wanted), unquote(wanted).partition("?")[0])))
        for path in spellings:
            if path in self._full:
                return self._full[path]
        for path in spellings:
            base = posixpath.basename(path).lower()
            stem = posixpath.splitext(base)[0] if is_image(base) else base
            found = self._base.get(base) or self._stem.get(stem) or []
            if found:
                return self._longest(path, found)
        return []

    def _longest(self, path: str, found: list[int]) -> list[int]:
        wanted = path.lower().split("/")[-2::-1]

        def shared(i: int) -> int:
            theirs = plain(self.names[i]).lower().split("/")[-2::-1]
            pairs = zip(wanted, theirs, strict=False)
            return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(theirs)))

        lengths = [shared(i) for i in found]
        return [i for i, length in zip(found, lengths, strict=True) if length == max(lengths)]
