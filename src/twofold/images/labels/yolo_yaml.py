"""data.yaml, which names the classes and the splits of a YOLO folder, and text lists of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.images.labels.findings import listed
from twofold.images.labels.lists import ClassList, of_value, read_yaml
from twofold.images.labels.tree import Shelf, read_text
from twofold.images.reading.pairing import plain

SPLITS = ("train", "val", "valid", "test")


@dataclass(frozen=True)
class Table:
    """A data.yaml. keypoints: each line of its labels has points behind the box."""

    file: Path
    value: dict[str, Any]

    @property
    def keypoints(self) -> bool:
        """Whether it says so."""
        return "kpt_shape" in self.value

    def splits(self) -> list[str]:
        """The splits that it names."""
        return [name for name in SPLITS if self.value.get(name)]


def read_table(file: Path) -> Table:
    """A data.yaml. Raises UserError where it is none."""
    value = read_yaml(file)
    if "names" not in value and "nc" not in value:
        raise UserError(f"{file} has no names: give a data.yaml with names of classes.")
    return Table(file, value)


def find_yaml(folders: Sequence[Path]) -> Table | None:
    """The first .yaml or .yml file with names of classes in the folders."""
    for folder in folders:
        for file in sorted(folder.glob("*.y*ml")):
            if file.suffix.lower() in (".yaml", ".yml") and file.is_file():
                try:
                    value = read_yaml(file)
                except UserError:
                    continue
                if "names" in value:
                    return Table(file, value)
    return None


def names_in(table: Table) -> ClassList | None:
    """The classes that it names."""
    if "names" not in table.value:
        return None
    return of_value(str(table.file), table.value["names"])


def split_pictures(table: Table, split: str, root: Path, pictures: Sequence[str], asks: str = "--images") -> list[str]:
    """The pictures of a split, of those below the root; all where the file names no splits.

    An entry is a folder, a pattern's beginning, or a list of pictures, or several; of a path of another machine, or one
    that begins with "..", the longest end that exists below the root counts. asks: the option that names another root.
    """
    value = table.value
    if not table.splits():
        return list(pictures)
    entry = value.get(split)
    if entry is None or entry == []:
        raise UserError(f"{table.file} names no {split}: it has {listed(table.splits(), 4)}.")
    entries = entry if isinstance(entry, list) else [entry]
    found: list[str] = []
    for one in entries:
        if not isinstance(one, str):
            raise UserError(f"{table.file}: {split} is a {type(one).__name__}: give a folder or a list of pictures.")
        found += _of_entry(table, one, root, pictures)
    if not found:
        raise UserError(
            f"{table.file}: {split} ({listed(entries)}) names no pictures below {root}: give their folder with {asks}."
        )
    return sorted(set(found))


def _of_entry(table: Table, entry: str, root: Path, pictures: Sequence[str]) -> list[str]:
    parts = [part for part in plain(entry).split("/") if part and "*" not in part]
    base = [part for part in plain(str(table.value.get("path") or "")).split("/") if part]
    for start in range(len(parts)):
        for front in [base[k:] for k in range(len(base) + 1)] if start == 0 else [[]]:
            end = "/".join([*front, *parts[start:]])
            if os.path.isdir(root / end):
                return [name for name in pictures if name.startswith(end + "/")]
            if os.path.isfile(root / end):
                return listed_pictures(root / end, pictures)
    return list(pictures) if not parts else []


def listed_pictures(file: Path, pictures: Sequence[str]) -> list[str]:
    """The pictures that a text list names, of those that there are. Raises UserError where it names none of them."""
    text, _ = read_text(file)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    shelf = Shelf(pictures)
    found = [shelf.find(line) for line in lines]
    for line, rows in zip(lines, found, strict=True):
        if len(rows) > 1:
            raise UserError(f"{file}: {line!r:.100} may be {listed(pictures[k] for k in rows)}: name its folder, too.")
    if not any(found):
        first = f"such as {lines[0]!r:.100}" if lines else "for it is empty"
        raise UserError(f"{file} names no picture below {file.parent} ({first}): name pictures, one a line.")
    lacking = [line for line, rows in zip(lines, found, strict=True) if not rows]
    if lacking:
        raise UserError(f"{file} names {len(lacking):,} pictures that are not there (such as {lacking[0]!r:.100}).")
    return sorted({pictures[rows[0]] for rows in found})
