"""Images as files: a folder (nested, flat, mixed) or a text list of paths, local or behind a URL."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import BinaryIO

import numpy as np

from twofold.errors import UserError
from twofold.images.reading.identity import content_digest, wherever
from twofold.images.reading.places import MOST_IMAGE, Place, missing, remote_stamp
from twofold.images.reading.source import (
    EXTENSIONS,
    Source,
    count_list,
    digest,
    extension,
    is_image,
    labels_from_folders,
)


class Files(Source):
    """Image files by names relative to a root."""

    def __init__(self, path: str, root: Place, names: Sequence[str], skipped: dict[str, int]) -> None:
        self.path = path
        self.root = root
        self.names = names
        self.skipped = skipped
        self.labels, self.classes = labels_from_folders(names)

    def read(self, i: int) -> bytes:
        """The file's bytes."""
        return self.root.join(self.names[i]).read(MOST_IMAGE)

    def size(self, i: int) -> int:
        """Bytes of the file."""
        return self._stamps[i][0]

    def open(self, i: int) -> BinaryIO | np.ndarray:
        """The file itself where it is local, else its bytes."""
        return self.root.join(self.names[i]).open() if self.root.fs is None else super().open(i)

    def fingerprint(self) -> str:
        """A digest of names, sizes and pieces of the bytes; a file that has gone counts as empty."""
        sizes = [size for size, _ in self._stamps]

        def read(file: int, start: int, size: int) -> bytes:
            return self.root.join(self.names[file]).read_range(start, size)

        return content_digest(wherever(self.names), sizes, read)

    def stamp(self) -> str:
        """A digest of names, sizes and times of change."""
        return digest(part for name, stamp in zip(self.names, self._stamps, strict=True) for part in (name, *stamp))

    @cached_property
    def _stamps(self) -> list[tuple[int, str]]:
        """Size and mark of change of each file; 0 and "" where it has gone."""
        remote = self._remote_stamps() if self.root.fs is not None else {}
        found: list[tuple[int, str]] = []
        for name in self.names:
            where = self.root.join(name)
            try:
                found.append(remote.get(where.path) or where.stamp())
            except OSError:
                found.append((0, ""))
        return found

    def _remote_stamps(self) -> dict[str, tuple[int, str]]:
        found = self.root.fs.find(self.root.path, detail=True)
        return {path: remote_stamp(info) for path, info in found.items()}

    def describe(self) -> str:
        """One line: the folder or list, how many images, classes, what was passed over."""
        return f"{self.path}: {len(self):,} image files{self.tally()}"


def open_folder(path: str, root: Place) -> Files:
    """All image files below a folder. UserError where there is none, saying what was found instead."""
    names, skipped = _walk(root.path) if root.fs is None else _walk_remote(root)
    if not names:
        found = f"holds no images but only {count_list(skipped)}" if skipped else "is empty"
        known = " ".join(sorted(EXTENSIONS))
        raise UserError(f"{path} {found}; images end in {known}.")
    return Files(path, root, names, skipped)


def open_list(path: str, where: Place) -> Files:
    """Images named in a text file, one path a line, relative to the file's folder; empty lines are left out."""
    try:
        lines = where.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8 (byte {error.start}); save it so.") from error
    names = [line.strip() for line in lines if line.strip()]
    root = where.parent()
    if not names:
        raise UserError(f"{path} is an empty list; put one image path on each line.")
    if not any(root.join(name).is_file() for name in names[:100]):
        first = root.join(names[0])
        if first.is_dir():
            raise UserError(f"{path}: line 1 names {first}, which is a folder, not a file.")
        raise UserError(f"{path}: line 1 names no file; {missing(first)}")
    return Files(path, root, names, {})


def _walk(top: str) -> tuple[list[str], dict[str, int]]:
    """Image names below `top` in sorted order, and what was passed over.

    Each real folder is entered once, so links cannot loop.
    """
    names: list[str] = []
    skipped: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()
    waiting = [(top, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            stat = os.stat(folder)
            if (stat.st_dev, stat.st_ino) in seen:
                skipped["folders seen before (links)"] += 1
                continue
            seen.add((stat.st_dev, stat.st_ino))
            entries = list(os.scandir(folder))
        except OSError:
            skipped["unreadable folders"] += 1
            continue
        for entry in entries:
            if entry.name.startswith("."):
                skipped["hidden"] += 1
            elif _is_dir(entry):
                waiting.append((entry.path, f"{prefix}{entry.name}/"))
            elif not is_image(entry.name):
                skipped[extension(entry.name) or "no extension"] += 1
            elif entry.is_symlink() and not os.path.exists(entry.path):
                skipped["broken links"] += 1
            elif not _is_file(entry):
                skipped["pipes, sockets and devices"] += 1
            else:
                names.append(prefix + entry.name)
    return sorted(names), dict(skipped)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _walk_remote(root: Place) -> tuple[list[str], dict[str, int]]:
    names: list[str] = []
    skipped: Counter[str] = Counter()
    base = root.path.rstrip("/") + "/"
    for path in root.fs.find(root.path):
        name = path.removeprefix(base)
        if any(part.startswith(".") for part in name.split("/")):
            skipped["hidden"] += 1
        elif is_image(name):
            names.append(name)
        else:
            skipped[extension(name) or "no extension"] += 1
    return sorted(names), dict(skipped)
