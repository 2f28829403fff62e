"""The files below a folder, local or behind a URL, in an order that is the same everywhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from twofold.images.reading.metadata import FILES as METADATA_FILES
from twofold.images.reading.source import is_image
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.words import extension

TABLES = (".parquet", ".parq", ".pq")
SHARDS = (*TABLES, ".tar")


@dataclass(frozen=True)
class Below:
    """Names below a folder, sorted: of images, of tables that may tell their labels, of files that may hold images; and
    what was passed over, counted by its ending or by cause."""

    images: list[str]
    tables: list[str]
    shards: list[str]
    skipped: Counter[str]


def walk(root: Place) -> Below:
    """What lies below a folder."""
    below = Below([], [], [], Counter())
    for name in _below(root.path, below.skipped) if root.fs is None else _below_remote(root, below.skipped):
        if is_image(name):
            below.images.append(name)
        elif name.rpartition("/")[2] in METADATA_FILES:
            below.tables.append(name)
        elif name.lower().endswith(SHARDS):
            below.shards.append(name)
        else:
            below.skipped[extension(name) or "no extension"] += 1
    for names in (below.images, below.tables, below.shards):
        names.sort()
    return below


def _below(top: str, skipped: Counter[str]) -> Iterator[str]:
    """The files below a local folder, not sorted.

    Each folder is entered once, so links cannot loop; by its own door where it has one below `top`, else by the first
    of the links to it, those of least depth first, in sorted order.
    """
    seen: set[tuple[int, int]] = set()
    real: list[tuple[str, str]] = [(top, "")]
    links: list[tuple[str, str]] = []
    while real or links:
        if not real:
            links.sort(key=lambda link: (link[1].count("/"), link[1]))
        folder, prefix = real.pop() if real else links.pop(0)
        for entry in _entries(folder, seen, skipped):
            if entry.name.startswith("."):
                skipped["hidden"] += 1
            elif _is_dir(entry):
                (links if entry.is_symlink() else real).append((entry.path, f"{prefix}{entry.name}/"))
            elif _counts(entry.name) and entry.is_symlink() and not os.path.exists(entry.path):
                skipped["broken links"] += 1
            elif _counts(entry.name) and not _is_file(entry):
                skipped["pipes, sockets and devices"] += 1
            else:
                yield prefix + entry.name


def _counts(name: str) -> bool:
    """Whether a file of this name may be opened."""
    return is_image(name) or name in METADATA_FILES or name.lower().endswith(SHARDS)


def _entries(folder: str, seen: set[tuple[int, int]], skipped: Counter[str]) -> list[os.DirEntry[str]]:
    """What lies in a folder that was not entered before, the last name first."""
    try:
        stat = os.stat(folder)
        if (stat.st_dev, stat.st_ino) in seen:
            skipped["folders seen before (links)"] += 1
            return []
        seen.add((stat.st_dev, stat.st_ino))
        return sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
    except OSError:
        skipped["unreadable folders"] += 1
        return []


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


def _below_remote(root: Place, skipped: Counter[str]) -> Iterator[str]:
    base = root.path.rstrip("/") + "/"
    for path in root.fs.find(root.path):
        name = path.removeprefix(base)
        if any(part.startswith(".") for part in name.split("/")):
            skipped["hidden"] += 1
        else:
            yield name
