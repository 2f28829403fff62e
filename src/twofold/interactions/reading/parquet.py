"""Interactions in a parquet file."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from twofold.bounded import ArrayError, check_parquet
from twofold.errors import UserError, clause
from twofold.files import plainly
from twofold.interactions.reading.columns import choose, in_words
from twofold.interactions.reading.ids import TEXT, distinct, encode
from twofold.interactions.reading.numbers import times, weights
from twofold.interactions.reading.raw import Named, Raw

_BROKEN = (pa.ArrowException, ArrayError, OSError, UnicodeDecodeError)


def read_parquet(path: str, named: Named) -> Raw:
    """The rows of a parquet file; only the columns that are needed are read."""
    try:
        with plainly(path) as plain, pq.ParquetFile(plain) as file:
            schema = file.schema_arrow
        names = list(schema.names)
        chosen = choose(path, names, len(names), named, lambda number: _counts_rows(path, names[number]))
        columns = [schema.names[n] for n in chosen.all()]
        table = _columns(path, columns)
        for name in columns:
            _check_places(table[name])
    except _BROKEN as error:
        raise UserError(f"{path} is not a whole parquet file ({clause(error)}).") from error
    if not table.num_rows:
        raise UserError(f"{path} has no rows.")

    def column(number: int) -> tuple[Any, str]:
        name = schema.names[number]
        return table[name], f"{path}: column {name}"

    weight = None if chosen.weight is None else weights(*column(chosen.weight))
    time = None if chosen.time is None else times(*column(chosen.time))
    users, items = encode(*column(chosen.user)), encode(*column(chosen.item))
    return Raw(users, items, weight, time, in_words(chosen, list(schema.names)))


def parquet_names(path: str) -> list[str]:
    """The names of the columns."""
    try:
        with plainly(path) as plain:
            return list(pq.read_schema(plain).names)
    except _BROKEN as error:
        raise UserError(f"{path} is not a whole parquet file ({clause(error)}).") from error


def _counts_rows(path: str, name: str) -> bool:
    """Whether a column differs in every row."""
    return distinct(encode(_columns(path, [name])[name], f"{path}: column {name}"))


def _columns(path: str, names: list[str]) -> pa.Table:
    """Some columns, text as dictionaries. ArrayError where there is more than such a file holds."""
    with plainly(path) as plain:
        with pq.ParquetFile(plain) as file:
            check_parquet(file.metadata, os.path.getsize(path), names)
            text = [name for name in names if _is_text(file.schema_arrow.field(name).type)]
        with pq.ParquetFile(plain, read_dictionary=text, pre_buffer=False) as file:
            return file.read(columns=names)


def _is_text(kind: pa.DataType) -> bool:
    """Whether a value may be of any length, so that a dictionary in the file stands for far more than it takes."""
    return any(is_kind(kind) for is_kind in TEXT)


def _check_places(column: Any) -> None:
    """ArrowInvalid where a damaged file points beyond a dictionary."""
    for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
        if len(chunk.indices.drop_null()) and (pc.max(chunk.indices).as_py() or 0) >= len(chunk.dictionary):
            raise pa.ArrowInvalid("a value is not in its dictionary")
