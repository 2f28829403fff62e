"""Labels of image files from the table beside them: metadata.csv, metadata.jsonl or metadata.parquet, as imagefolders
of the `datasets` library have one."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twofold.errors import UserError, clause, nearest
from twofold.images.reading.columns import LABEL_COLUMNS
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.labels import numbers_in
from twofold.pixels.reading.places import MOST_IMAGE, Place

FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_COLUMNS = ("file_name", "filename", "image_path", "path", "file")
_Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Told:
    """What tables say of files. found: how many they name. values: the label of each file, None where none is told.
    notes: what was read, a sentence each."""

    found: int
    values: list[object]
    notes: tuple[str, ...]


def told(root: Place, tables: Sequence[str], names: Sequence[str], wanted: str | None) -> Told:
    """The labels that the tables (names below the root) tell of files.

    A table names files by paths from its own folder. wanted: its column of labels. Raises UserError for a table that
    is damaged or lacks that column.
    """
    number = {name: i for i, name in enumerate(names)}
    values: list[Any] = [None] * len(names)
    found, strange, notes = 0, 0, []
    for table in tables:
        where, folder = root.join(table), posixpath.dirname(table)
        if folder and not any(name.startswith(f"{folder}/") for name in names):
            continue  # of a part that is not read
        columns = read_metadata(where)
        files = next((columns[name] for name in FILE_COLUMNS if name in columns), None)
        if wanted and wanted not in columns:
            raise UserError(f"{where} has no column {wanted} (it has {', '.join(columns)}).{nearest(wanted, columns)}")
        label = wanted or next((name for name in LABEL_COLUMNS if name in columns), None)
        if files is None or label is None:
            continue
        rows = [number.get(posixpath.normpath(posixpath.join(folder, str(file)))) for file in files]
        for row, value in zip(rows, columns[label], strict=True):
            if row is not None and _is_label(value):
                values[row] = value
        here = sum(row is not None for row in rows)
        found, strange = found + here, strange + len(rows) - here
        if here:
            notes.append(f"labels are column {label} of {where} (by the folders instead: --class-level 1)")
    if strange:
        are = "row of metadata names a file that is" if strange == 1 else "rows of metadata name files that are"
        notes.append(f"{strange:,} {are} not among the images read")
    texts = all(isinstance(value, str) or value is None for value in values)
    return Told(found, numbers_in(values) if texts else values, tuple(notes))


def _is_label(value: object) -> bool:
    return isinstance(value, (str, int, float))


def read_metadata(where: Place) -> _Columns:
    """Such a table by columns, all of one length; of parquet without lists and structs. Raises UserError."""
    try:
        data = where.read(MOST_IMAGE)
        if where.name.endswith(".parquet"):
            import pyarrow.parquet as parquet

            table = parquet.read_table(io.BytesIO(data), columns=_flat(data))
            return {name: table.column(name).to_pylist() for name in table.column_names}
        text = data.decode("utf-8-sig")
        rows = _objects(text) if where.name.endswith(".jsonl") else _rows(text)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not text in UTF-8 (byte {error.start}): save it so.") from error
    except (OSError, ValueError, RecursionError, csv.Error, DecodeError) as error:
        raise UserError(f"{where} cannot be read ({clause(error)}): mend it, or move it away.") from error
    names = list(dict.fromkeys(name for row in rows for name in row if isinstance(name, str)))
    return {name: [row.get(name) for row in rows] for name in names}


def _flat(data: bytes) -> list[str]:
    """The columns of a parquet file that are no lists and no structs."""
    import pyarrow.parquet as parquet

    schema = parquet.read_schema(io.BytesIO(data))
    return [field.name for field in schema if not field.type.num_fields]


def _rows(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV file, by the names in its first line."""
    reader = csv.DictReader(io.StringIO(text, newline=None), strict=True)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} has not as many fields as the first")
        rows.append(row)
    return rows


def _objects(text: str) -> list[dict[str, Any]]:
    """The objects of a file of one JSON object a line."""
    rows = []
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            rows.append(row)
    return rows
