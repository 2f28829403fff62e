"""Images as files: a folder (nested, flat, mixed) or a text list of paths, local or behind a URL."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import BinaryIO

import numpy as np

from twofold.errors import UserError
from twofold.images.reading.measured import HEAD, holds_numbers
from twofold.images.reading.metadata import told as read_metadata
from twofold.images.reading.pairing import masks_among
from twofold.images.reading.source import EXTENSIONS, Source
from twofold.images.reading.walking import Below
from twofold.pixels.reading.identity import content_digest, wherever
from twofold.pixels.reading.labels import labels_from_names, labels_from_values, labels_of_parts
from twofold.pixels.reading.parts import select
from twofold.pixels.reading.places import MOST_IMAGE, Place, missing, remote_stamp
from twofold.pixels.reading.wanted import ANYTHING, Wanted
from twofold.pixels.reading.words import count_list, digest, extension


class Files(Source):
    """Image files by names relative to a root. tables: files beside them that may tell their labels."""

    def __init__(
        self,
        path: str,
        root: Place,
        names: Sequence[str],
        skipped: dict[str, int],
        wanted: Wanted = ANYTHING,
        tables: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.root = root
        self.skipped = skipped
        selected = select(path, names, wanted)
        self.names = names if len(selected.rows) == len(names) else [names[i] for i in selected.rows]
        self.notes = selected.notes
        by_folders = wanted.class_level is not None and not wanted.label_column
        told = read_metadata(root, () if by_folders else tables, self.names, wanted.label_column)
        self.notes += told.notes
        if told.found:
            self.labels, self.classes = labels_from_values(told.values)
        elif wanted.class_level is not None:
            self.labels, self.classes = labels_from_names(path, self.names, wanted.class_level)
        else:
            self.labels, self.classes = labels_of_parts(selected.folders, selected.parts)
            self.folders, self.home = selected.folders, root.at(os.path.abspath(root.path)).name

    def file_name(self, i: int) -> str:
        """The file's name."""
        return self.names[i]

    def read(self, i: int) -> bytes:
        """The file's bytes."""
        return self.root.join(self.names[i]).read(MOST_IMAGE)

    def size(self, i: int) -> int:
        """Bytes of the file."""
        return self._stamps[i][0]

    def open(self, i: int) -> BinaryIO | np.ndarray:
        """The file itself where it is local and encoded, else its bytes or pixels."""
        if self.root.fs is not None:
            return super().open(i)
        file = self.root.join(self.names[i]).open()
        numbers = holds_numbers(file.read(HEAD))
        file.seek(0)
        if not numbers:
            return file
        file.close()
        return super().open(i)

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


def open_folder(path: str, root: Place, below: Below, wanted: Wanted) -> Files:
    """The image files below a folder. UserError where there is none, saying what was found instead."""
    skipped = dict(below.skipped + Counter(extension(name) for name in below.shards))
    if not below.images:
        found = f"holds no images but only {count_list(skipped)}" if skipped else "is empty"
        known = " ".join(sorted(EXTENSIONS))
        raise UserError(f"{path} {found}; images end in {known}.")
    if wanted.label_column and not below.tables:
        raise no_columns(path, wanted.label_column)
    masks = dict.fromkeys(() if wanted.part == "none" else masks_among(below.images))
    files = Files(path, root, [name for name in below.images if name not in masks], skipped, wanted, below.tables)
    if masks:
        first = next(iter(masks))
        files.notes += (
            f"{path} holds {len(masks):,} masks of its pictures (such as {first}), which are left out; --part none "
            f"reads all images",
        )
    return files


def open_list(path: str, where: Place, wanted: Wanted) -> Files:
    """Images named in a text file, one path a line, relative to the file's folder; empty lines are left out. Lines may
    end in line feeds, carriage returns or both. All that is listed is read, whatever parts the folders name."""
    try:
        lines = re.split("\r\n|\r|\n", where.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8 (byte {error.start}); save it so.") from error
    names = [line.strip() for line in lines if line.strip()]
    if any("\0" in name for name in names):
        raise UserError(f"{path} holds binary data, not text: put one image path on each line.")
    root = where.parent()
    if not names:
        raise UserError(f"{path} is an empty list; put one image path on each line.")
    if not any(root.join(name).is_file() for name in names[:100]):
        first = root.join(names[0])
        if first.is_dir():
            raise UserError(f"{path}: line 1 names {first}, which is a folder, not a file.")
        raise UserError(f"{path}: line 1 names no file; {missing(first)}")
    return Files(path, root, names, {}, replace(wanted, part=wanted.part or "all"))


def no_columns(path: str, column: str) -> UserError:
    """The error for a column that is named of data without any."""
    return UserError(
        f"{path} has no columns; {column} can be named for parquet files, and for labels in metadata.csv beside images."
    )
