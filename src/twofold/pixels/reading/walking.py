"""The files below a folder, local or behind a URL, each folder entered once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

from twofold.launcher import by_the_first
from twofold.pixels.reading.places import Place


def files_below(root: Place, skipped: Counter[str], counts: Callable[[str], bool]) -> list[str]:
    """The names of the files below a folder, not sorted. counts: whether a file of this name may be opened, so that a
    broken link or a pipe of that name is counted in `skipped` instead, as is what is hidden.

    Of processes that torchrun or SLURM started the first looks, for all.
    """

    def listed() -> tuple[list[str], Counter[str]]:
        passed: Counter[str] = Counter()
        return list(_local(root.path, passed, counts) if root.fs is None else _remote(root, passed)), passed

    names, passed = by_the_first(f"the files below {root}", listed)
    skipped.update(passed)
    return names


def _local(top: str, skipped: Counter[str], counts: Callable[[str], bool]) -> Iterator[str]:
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
            elif counts(entry.name) and entry.is_symlink() and not os.path.exists(entry.path):
                skipped["broken links"] += 1
            elif counts(entry.name) and not _is_file(entry):
                skipped["pipes, sockets and devices"] += 1
            else:
                yield prefix + entry.name


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


def _remote(root: Place, skipped: Counter[str]) -> Iterator[str]:
    base = root.path.rstrip("/") + "/"
    for path in root.fs.find(root.path):
        name = path.removeprefix(base)
        if any(part.startswith(".") for part in name.split("/")):
            skipped["hidden"] += 1
        else:
            yield name
