"""What items are called: a file of item ids and titles."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from twofold.bounded import ArrayError, check_parquet
from twofold.errors import UserError, clause
from twofold.files import plainly
from twofold.interactions.reading.columns import USUAL, plain_name
from twofold.interactions.reading.content import check_file, whole
from twofold.interactions.reading.ids import encode
from twofold.interactions.reading.quotes import STRICT, find_quotes

# Column names as `plain_name` gives them; of several the first in these lists counts.
ITEM = (*USUAL["item"], "id")
TITLE = ("title", "name", *(f"{item.removesuffix('id')}{what}" for item in USUAL["item"] for what in ("title", "name")))


def read_titles(path: str | os.PathLike[str]) -> dict[str, str]:
    """Titles by item id as text, from a CSV, TSV (either also .gz) or parquet file.

    The columns are known by their names (item, id, product_id, ... and title, name, ...); otherwise they are the first
    two. Rows without an id or a title are passed over; of several titles of one item the first counts. Raises UserError
    for a file that cannot be read or holds no title.
    """
    path = os.path.expanduser(os.fspath(path))
    if os.path.isfile(path) and not os.path.getsize(path):
        raise UserError(f"{path} is empty; it should hold item ids and titles.")
    kind = check_file(path)
    if kind == "npz":
        raise UserError(f"{path} is an .npz file; titles are read from CSV, TSV or parquet.")
    titles: dict[str, str] = {}
    for item, title in _parquet(path) if kind == "parquet" else _text(path):
        if item and title:
            titles.setdefault(item, title)
    if not titles:
        raise UserError(f"{path} holds no titles; it should have a column of item ids and one of titles.")
    return titles


def _columns(path: str, names: Sequence[str]) -> tuple[int, int, bool]:
    """Numbers of the columns of ids and titles, and whether the names named any of them."""
    if len(names) < 2:
        raise UserError(f"{path} has one column only; it should have one of item ids and one of titles.")
    plain = [plain_name(name) for name in names]
    item = next((plain.index(name) for name in ITEM if name in plain), None)
    title = next((plain.index(name) for name in TITLE if name in plain and plain.index(name) != item), None)
    named = item is not None or title is not None
    if item is None:
        item = 0 if title != 0 else 1
    if title is None:
        title = 0 if item != 0 else 1
    return item, title, named


def _text(path: str) -> Iterable[tuple[str, str]]:
    try:
        text = whole(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8; save it so.") from error
    first = re.split("\r|\n", text.lstrip(), maxsplit=1)[0]
    delimiter = "\t" if "\t" in first else max(",;", key=first.count)
    try:
        rows = [row for row in _rows(text, delimiter) if row]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read ({clause(error)}).") from error
    if not rows:
        return []
    item, title, header = _columns(path, rows[0])
    long = (row for row in rows[header:] if len(row) > max(item, title))
    return [(row[item].strip(), row[title].strip()) for row in long]


def _rows(text: str, delimiter: str) -> Iterable[list[str]]:
    """Rows of values; between tabs, and where a quote does not close, quotes are parts of values."""
    quotes = find_quotes(text.encode(), delimiter) if '"' in text else None
    if quotes and (quotes.broken or (delimiter in STRICT and quotes.over_lines)):
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _parquet(path: str) -> Iterable[tuple[str, str]]:
    try:
        with plainly(path) as plain, pq.ParquetFile(plain) as file:
            names = list(file.schema_arrow.names)
            item, title, _ = _columns(path, names)
            check_parquet(file.metadata, os.path.getsize(path), [names[item], names[title]])
            table = file.read(columns=[names[item], names[title]])
        ids = encode(table[names[item]], f"{path}: column {names[item]}")
        values = [str(value) for value in ids.values.to_pylist()]
        titles = table[names[title]].cast(pa.string()).to_pylist()
    except (pa.ArrowException, ArrayError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as ids and titles ({clause(error)}).") from error
    return [
        (values[code] if code >= 0 else "", (name or "").strip()) for code, name in zip(ids.codes, titles, strict=True)
    ]
