"""Images in parquet files: encoded bytes in a column, or the {"bytes", "path"} struct of the `datasets` library."""

from __future__ import annotations

import json
import os
import threading
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from twofold.bounded import ArrayError, check_parquet, read_rows
from twofold.errors import UserError, clause, nearest
from twofold.images.reading.columns import LABEL_COLUMNS, NAME_COLUMNS, features_of, image_column, listed
from twofold.images.reading.parquet_file import open_parquet
from twofold.images.reading.row_names import RowNames
from twofold.images.reading.source import Source
from twofold.parts import WORDS
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.labels import Labels, labels_from_folders, labels_from_names, labels_from_values
from twofold.pixels.reading.parts import pick, said, select
from twofold.pixels.reading.places import MOST_IMAGE, Place, digest_of_places
from twofold.pixels.reading.wanted import ANYTHING, Wanted
from twofold.pixels.reading.words import digest
from twofold.resources import free_memory

METADATA = b"twofold"  # JSON in the schema: {"classes": [...]} where we wrote the file
PART_COLUMNS = ("split", "part", "subset", "partition")
LOOKED_AT = 100  # rows of which one must name a file
SHARE = 0.25  # of the free memory may hold encoded row groups


class Parquet(Source):
    """Rows of one or more parquet files of the same columns. Row groups are read when first asked for and kept, within
    a budget (the least recently used go first), so that small sets are read once and large ones never fill the
    memory."""

    def __init__(
        self, path: str, places: Sequence[Place], wanted: Wanted = ANYTHING, notes: tuple[str, ...] = ()
    ) -> None:
        self.path = path
        self.places = places
        self.skipped = {}
        self.notes = notes
        self._metadata: list[Any] = [None] * len(places)
        schema = None
        for f, where in enumerate(places):
            self._metadata[f], theirs = self._ask(f, "its schema", lambda file: (file.metadata, file.schema_arrow))
            schema = schema or theirs
            try:
                check_parquet(self._metadata[f], where.stamp()[0])
            except ArrayError as error:
                raise UserError(f"{where} is not a whole parquet file ({clause(error)}).") from error
            if theirs.names != schema.names:
                raise UserError(f"{where} has other columns ({listed(theirs)}) than {places[0]} ({listed(schema)}).")
        self.column, self.apart = image_column(path, schema, wanted.image_column)
        counts = [m.row_group(g).num_rows for m in self._metadata for g in range(m.num_row_groups)]
        self._groups = [(f, g) for f, m in enumerate(self._metadata) for g in range(m.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        if not self._starts[-1]:
            raise UserError(f"{path} has no rows.")
        self.names = self._paths() if self.apart else self._read_names(schema)
        self._named = not isinstance(self.names, RowNames)
        if wanted.class_level is None or wanted.label_column:
            self.labels, self.classes = self._read_labels(schema, wanted.label_column)
            if self.labels is None and self.apart:
                self.labels, self.classes = labels_from_folders(self._inner_names())
        else:
            self.labels, self.classes = labels_from_names(path, self.names, wanted.class_level)
        self._rows = self._rows_of_parts(schema, wanted)
        if self._rows is not None:
            self.names = [self.names[row] for row in self._rows]
            self.labels = None if self.labels is None else self.labels[self._rows]
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._kept_bytes = 0
        self._budget = max(1 << 28, int(SHARE * free_memory()))
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in places]  # so that two threads do not read the same group

    def read(self, i: int) -> bytes:
        """The encoded bytes of row `i`, or those of the file beside the table that it names."""
        row = i if self._rows is None else self._rows[i]
        if self.apart:
            return self._beside(self.names[i], row)
        group = bisect_right(self._starts, row) - 1
        value = self._group(group)[row - self._starts[group]].as_py()
        if value is None:
            if not self._named:
                raise DecodeError("the row holds no image bytes")
            try:
                return self._beside(self.names[i], row)
            except FileNotFoundError:
                raise DecodeError(f"the row holds no image bytes, and {self.names[i]} does not exist") from None
        return value

    def values(self, column: str) -> list[Any]:
        """What stands in another column, for each image that is read. Raises UserError where it is damaged."""
        values = self._column(column)
        return values if self._rows is None else [values[row] for row in self._rows]

    def file_name(self, i: int) -> str:
        """The file that row `i` names, where its image lies there."""
        return self.names[i] if self.apart else ""

    def _beside(self, name: str, row: int) -> bytes:
        """The bytes of a file that a row names by a path from its table's folder. What leads out of that is not
        opened: a table may be a stranger's."""
        folder = self.places[bisect_right(self._bounds(), row) - 1].parent()
        if (where := folder.below(name)) is None:
            raise DecodeError(f"lies outside {folder}, of which a table may name files; a .txt list may name any")
        return where.read(MOST_IMAGE)

    def _bounds(self) -> list[int]:
        return np.cumsum([0] + [m.num_rows for m in self._metadata]).tolist()

    def _paths(self) -> list[str]:
        """The paths of the images. Refuses a column of which the first name no files."""
        names = [name or f"row {i} without a name" for i, name in enumerate(self._column(self.column))]
        folder = self.places[0].parent()
        if not any((at := folder.below(name)) is not None and at.is_file() for name in names[:LOOKED_AT]):
            raise UserError(
                f"{self.path}: column {self.column} holds strings, of which the first ({names[0]}) name no files in "
                f"{folder}: put the table where its paths begin, or give a .txt list of paths."
            )
        return names

    def _inner_names(self) -> list[str]:
        """The paths of the images from the table's folder, "" for one that leads out of it."""
        folder = self.places[0].parent()
        top = folder.path if folder.fs is not None else os.path.abspath(folder.path)
        found = [folder.below(name) for name in self.names]
        return ["" if where is None else where.path[len(top) :].lstrip(os.sep) for where in found]

    def _group(self, group: int) -> Any:
        with self._lock:
            if group in self._kept:
                self._kept.move_to_end(group)
                return self._kept[group]
        file, row_group = self._groups[group]
        with self._reading[file]:
            with self._lock:
                if group in self._kept:  # another thread was faster
                    return self._kept[group]
            try:
                with self._file(file) as opened:
                    size = self.places[file].stamp()[0]
                    column = read_rows(opened, size, self.column, row_group).combine_chunks()
            except Exception as error:  # whatever is broken in this row group
                raise DecodeError(
                    f"row group {row_group} of {self.places[file]} cannot be read ({clause(error)})"
                ) from error
            column = column.field("bytes") if column.type.num_fields else column
            with self._lock:
                self._kept[group] = column
                self._kept_bytes += column.nbytes
                while self._kept_bytes > self._budget and len(self._kept) > 1:
                    self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return column

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = []
        for f, where in enumerate(self.places):

            def read(file: Any, stored: int = where.stamp()[0]) -> list[object]:
                check_parquet(file.metadata, stored, [name])
                return list(file.read(columns=[name]).column(0).to_pylist())

            values += self._ask(f, f"column {name}", read)
        if len(values) != self._starts[-1]:
            raise UserError(f"{self.path} is damaged: column {name} has not a value a row; write or fetch it again.")
        return values

    def _ask(self, f: int, what: str, read: Callable[[Any], Any]) -> Any:
        """What `read` makes of a file. Raises UserError where it is damaged."""
        try:
            with self._file(f) as file:
                return read(file)
        except UserError:
            raise
        except Exception as error:  # Arrow raises nearly everything on damaged files
            raise UserError(
                f"{self.places[f]} is damaged: {what} cannot be read ({clause(error)}); write or fetch it again."
            ) from error

    def _file(self, f: int) -> Any:
        """The file, opened for a moment: there may be more of them than a process may hold open."""
        return open_parquet(self.places[f], self._metadata[f])

    def _read_names(self, schema: Any) -> Sequence[str]:
        for name in NAME_COLUMNS:
            if name in schema.names and str(schema.field(name).type) in ("string", "large_string"):
                return [str(v) for v in self._column(name)]
        kind = schema.field(self.column).type
        if any(kind.field(k).name == "path" for k in range(kind.num_fields)):
            paths = [value and value["path"] for value in self._column(f"{self.column}.path")]
            if all(paths):
                return paths
        files = [where.name for where in self.places]
        if len(set(files)) < len(files):
            files = [f"{where.parent().name}/{where.name}" for where in self.places]
        return RowNames(files, self._bounds())

    def _rows_of_parts(self, schema: Any, wanted: Wanted) -> list[int] | None:
        """The rows that are read where a column, or the folders in a column of paths, say parts; None for all rows."""
        if wanted.part == "none":
            return None
        for column in (name for name in PART_COLUMNS if name in schema.names):
            values = self._column(column)
            of = [WORDS.get(str(value).strip().lower(), "") for value in values]
            if all(of):
                counts = Counter(of)
                parts = pick(self.path, counts, wanted, "images")
                note = said(self.path, counts, parts, wanted, "images")
                self.notes += (f"{note} (by column {column})",) if note else ()
                return [row for row, part in enumerate(of) if part in parts]
        if self.apart or wanted.names_part():
            selected = select(self.path, self._inner_names() if self.apart else self.names, wanted)
            self.notes += selected.notes
            return list(selected.rows)
        return None

    def _read_labels(self, schema: Any, wanted: str | None) -> Labels:
        import pyarrow.types as types

        if wanted and wanted not in schema.names:
            raise UserError(
                f"{self.path} has no column {wanted} (it has {listed(schema)}).{nearest(wanted, schema.names)}"
            )
        features = features_of(schema)
        told = [name for name in schema.names if "names" in features.get(name, {})]
        candidates = [wanted] if wanted else [*(c for c in LABEL_COLUMNS if c in schema.names), *told]
        for name in dict.fromkeys(candidates):
            kind = schema.field(name).type
            kind = kind.value_type if types.is_dictionary(kind) else kind
            number = types.is_integer(kind) or types.is_floating(kind)
            if number or types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
                values = self._column(name)
                labels, classes = labels_from_values(values, self._class_names(schema, name) if number else None)
                if labels is not None or not types.is_floating(kind):
                    others = [other for other in told if other != name]
                    if name not in LABEL_COLUMNS or others:
                        also = f" ({', '.join(others)} too: --label-column names another)" if others else ""
                        self.notes += (f"labels are column {name} of {self.path}{also}",)
                    return labels, classes
            if wanted:
                raise UserError(f"{self.path}: column {wanted} holds {kind}; labels are integers or strings.")
        return None, None

    def _class_names(self, schema: Any, column: str) -> list[str] | None:
        """Names for whole numbers: from the file's own metadata, else from a classes.txt beside it (line = class)."""
        metadata = schema.metadata or {}
        names: Any = None
        try:
            if METADATA in metadata:
                names = json.loads(metadata[METADATA])["classes"]
            elif b"huggingface" in metadata:
                names = features_of(schema)[column]["names"]
            else:
                lines = self.places[0].parent().join("classes.txt").read().decode().splitlines()
                names = [line.rpartition("\t")[2].strip() for line in lines if line.strip()]
        except (OSError, ValueError, KeyError, TypeError, RecursionError, DecodeError):
            return None
        return [str(n) for n in names] if isinstance(names, list) else None

    def fingerprint(self) -> str:
        """A digest of the files' names, sizes and pieces of their bytes, and of the column."""
        return digest_of_places(self.places, [self.column, *self._chosen()])

    def stamp(self) -> str:
        """A digest of the files' names, sizes and times of change, and of the column."""
        stamps = (part for where in self.places for part in (where.name, *where.stamp()))
        return digest([self.column, *stamps, *self._chosen()])

    def _chosen(self) -> Sequence[str]:
        """The names of the images, where they say more than the files do: some of the rows, or files of their own."""
        return self.names if self.apart or self._rows is not None else ()

    def describe(self) -> str:
        """One line: the files, rows, column and classes."""
        files = f" in {len(self.places)} files" if len(self.places) > 1 else ""
        return f"{self.path}: {len(self):,} rows{files}, images in column {self.column}{self.tally()}"
