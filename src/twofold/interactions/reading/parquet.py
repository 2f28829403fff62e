"""Interactions in a parquet file."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from twofold.errors import UserError, clause
from twofold.files import plainly
from twofold.interactions.reading.columns import choose, in_words
from twofold.interactions.reading.ids import distinct, encode
from twofold.interactions.reading.numbers import times, weights
from twofold.interactions.reading.raw import Named, Raw


def read_parquet(path: str, named: Named) -> Raw:
    """The rows of a parquet file; only the columns that are needed are read."""
    try:
        with plainly(path) as plain, pq.ParquetFile(plain) as file:
            schema = file.schema_arrow
        names = list(schema.names)
        chosen = choose(path, names, len(names), named, lambda number: _counts_rows(path, names[number]))
        columns = [schema.names[n] for n in chosen.all()]
        text = [name for name in columns if pa.types.is_string(schema.field(name).type)]
        with plainly(path) as plain, pq.ParquetFile(plain, read_dictionary=text, pre_buffer=False) as file:
            table = file.read(columns=columns)
        for name in columns:
            _check_places(table[name])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
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
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a whole parquet file ({clause(error)}).") from error


def _counts_rows(path: str, name: str) -> bool:
    """Whether a column differs in every row."""
    with plainly(path) as plain, pq.ParquetFile(plain) as file:
        return distinct(encode(file.read(columns=[name])[name], f"{path}: column {name}"))


def _check_places(column: Any) -> None:
    """ArrowInvalid where a damaged file points beyond a dictionary."""
    for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
        if len(chunk.indices.drop_null()) and (pc.max(chunk.indices).as_py() or 0) >= len(chunk.dictionary):
            raise pa.ArrowInvalid("a value is not in its dictionary")
