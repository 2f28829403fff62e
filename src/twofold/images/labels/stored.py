"""Where the pictures of a file of labels are: a folder, or a parquet file beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.survey import Wishes
from twofold.images.labels.tree import Shelf, files_below, is_end_of_other
from twofold.images.reading.files import Files
from twofold.images.reading.opening import TABLES, open_source
from twofold.images.reading.parquet import Parquet
from twofold.images.reading.source import Source, is_image
from twofold.parts import SHARD
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.wanted import Wanted

LABEL_FOLDERS = ("annotations", "annotation", "labels", "label", "json", "coco")


@dataclass(frozen=True)
class Stored:
    """Pictures that labels can be laid on, with what finds them by name. where: for messages; asks: the option that
    names another place."""

    source: Source
    shelf: Shelf
    where: str
    asks: str = "--images"

    def find_all(self, wanted: Sequence[str], ids: Sequence[Any], notes: Notes) -> list[int | None]:
        """The row of each picture, None where it is not there. In a parquet file without names the ids count rows.

        Raises UserError where none is there, or several fit one name.
        """
        found = [self.shelf.find(name) for name in wanted]
        if wanted and not any(found):
            rows = [key if isinstance(key, int) and 0 <= key < len(self.source) else None for key in ids]
            if isinstance(self.source, Parquet) and all(row is not None for row in rows):
                notes.say(f"Pictures are found by their ids as row numbers of {self.where}, which has no such names.")
                return rows
            raise UserError(
                f"{self.where} holds none of the {len(wanted):,} pictures that the labels name (such as "
                f"{wanted[0]!r:.100}): give the folder that holds them with {self.asks}."
            )
        for name, rows_found in zip(wanted, found, strict=True):
            if len(rows_found) > 1:
                fitting = listed(self.source.names[row] for row in rows_found)
                raise UserError(
                    f"{self.where}: {name!r:.100} of the labels may be {fitting}: name the folder in file_name, too, "
                    f"or give one with {self.asks}."
                )
        for name, rows_found in zip(wanted, found, strict=True):
            if not rows_found:
                notes.add("pictures of the labels that were not found, left out", f"{name:.100}")
            elif not is_end_of_other(name, self.source.names[rows_found[0]]):
                kind = "pictures found in another folder, or with another ending, than the labels say"
                notes.add(kind, f"{self.source.names[rows_found[0]]} for {name:.100}")
        return [rows_found[0] if rows_found else None for rows_found in found]

    def note_unlisted(self, rows: set[int], notes: Notes) -> None:
        """Count the pictures that the labels do not name."""
        rest = [i for i in range(len(self.source)) if i not in rows]
        if rest:
            notes.add("pictures that the labels do not name, left out", self.source.names[rest[0]], len(rest))


def pictures_for(file: Path, wishes: Wishes) -> Stored:
    """The pictures of a label file: those of --images, a parquet file of its name beside it, or its own folder.

    From a folder called annotations or the like one goes up to the folder that holds it.
    """
    if wishes.images:
        return opened(wishes.images, wishes)
    tables = [p for p in sorted(file.parent.iterdir()) if p.suffix.lower() in TABLES and belongs(file.stem, p.stem)]
    if tables:
        return _of_tables(file.parent, tables, wishes)
    stored = in_folder(file.parent, wishes)
    if stored is None and file.parent.resolve().name.lower() in LABEL_FOLDERS:
        stored = in_folder(file.resolve().parent.parent, wishes)
    if stored is None:
        raise UserError(
            f"{file.parent} holds no pictures for {file.name}: give their folder with {wishes.asks_images}."
        )
    return stored


def _of_tables(folder: Path, tables: Sequence[Path], wishes: Wishes) -> Stored:
    """The pictures of the parquet file, or of the numbered parts of one, with the longest of some names."""
    longest = max((part_name(table.stem) for table in tables), key=len)
    parts = [table for table in tables if part_name(table.stem) == longest]
    if len(parts) == 1:
        return opened(str(parts[0]), wishes)
    path = str(folder / f"{longest}-*{parts[0].suffix}")
    whole = Wanted(wishes.image_column, part="all", class_level=0)
    source = Parquet(path, [Place(str(part)) for part in parts], whole)
    return Stored(source, Shelf(source.names), path, wishes.asks_images)


def part_name(stem: str) -> str:
    """The name of a table without its number as a part: "train" of "train-00000-of-00004"."""
    return SHARD.sub("", stem)


def belongs(label: str, table: str) -> bool:
    """Whether labels of this name belong to a table of that: "instances_train" to "train", also in parts."""
    table = part_name(table)
    return label == table or any(label.endswith(mark + table) for mark in "_-.")


def opened(path: str, wishes: Wishes) -> Stored:
    """The pictures of a folder or a parquet file that the user named."""
    if os.path.isdir(path):
        stored = in_folder(Path(path), wishes)
        if stored is not None:
            return stored
    source = open_source(path, image_column=wishes.image_column, role="all")
    return Stored(source, Shelf(source.names), path, wishes.asks_images)


def in_folder(folder: Path, wishes: Wishes) -> Stored | None:
    """All pictures below a folder, None where there are none."""
    names = [name for name in files_below(folder) if is_image(name)]
    return of_names(folder, names, wishes) if names else None


def of_names(folder: Path, names: Sequence[str], wishes: Wishes) -> Stored:
    """Some pictures below a folder."""
    whole = Wanted(part="all", class_level=0)
    files = Files(str(folder), Place(str(folder)), names, {}, whole)
    return Stored(files, Shelf(names), str(folder), wishes.asks_images)
