"""Ids of users and items: any column to row numbers and the list of distinct ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twofold.errors import UserError

INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"  # written as Python writes it: no leading zeros, no plus

TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


@dataclass(frozen=True)
class Ids:
    """A column of ids, encoded. codes: integers (E,), places in `values`, -1 where a row has no id. values: distinct
    ids, int64 or string, in the order in which they are first seen."""

    codes: np.ndarray
    values: pa.Array


def encode(column: Any, where: str) -> Ids:
    """The ids of an arrow column of strings or integers (also dictionary-encoded, or floats that are whole numbers).

    White space around an id is no part of it, and an id that is then empty is none. where: the column in words, for
    the UserError about a column of another type.
    """
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.dictionary_encode()
        except pa.ArrowNotImplementedError as error:
            raise UserError(f"{where} holds {column.type}; ids are text or whole numbers.") from error
    column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # no chunk at all, or more than one array can hold
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    values = _plain(column.dictionary, where)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    merged = values.dictionary_encode()  # trimming may have made two ids one
    if len(merged.dictionary) != len(values):
        to = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        codes, values = np.append(to, -1)[codes], merged.dictionary
    return Ids(codes, values)


def distinct(ids: Ids) -> bool:
    """Whether every row has an id and no two have the same."""
    return len(ids.values.drop_null()) == len(ids.codes)


def settle(ids: Ids, keep: np.ndarray | None, convert: bool = True) -> tuple[np.ndarray, pa.Array]:
    """Row numbers int64 (kept rows,) and the ids that the kept rows use, (n,).

    Ids that are all whole numbers written plainly become int64 and are sorted; others are strings as they stand, in
    the order in which the file first names them. keep: bool (E,), or None for all; a kept row has an id. convert:
    False leaves strings strings.
    """
    codes = ids.codes if keep is None else ids.codes[keep]
    used = np.bincount(codes, minlength=len(ids.values)) > 0
    values = ids.values.filter(pa.array(used))
    values = integers(values) if convert else values
    if pa.types.is_integer(values.type):
        order = np.argsort(values.to_numpy(), kind="stable")
        values = values.take(pa.array(order))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
    else:
        rank = np.arange(len(values), dtype=np.int64)
    to = np.zeros(len(ids.values), np.int64)
    to[used] = rank
    return to[codes], values


def integers(values: pa.Array) -> pa.Array:
    """Strings as int64 where every one of them is a whole number written plainly, else as they are."""
    if not pa.types.is_string(values.type) or not len(values):
        return values
    if not pc.all(pc.match_substring_regex(values, INTEGER)).as_py():
        return values
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:  # beyond 64 bits
        return values


def union(columns: list[pa.Array]) -> tuple[list[np.ndarray], pa.Array]:
    """One list of ids for several: for each of them its rows in the list, int64, and the list itself.

    int64 and sorted where all are; strings in the order of the lists where one of them is.
    """
    if len({str(c.type) for c in columns}) > 1:
        columns = [c.cast(pa.string()) for c in columns]
    together = pa.concat_arrays(columns).dictionary_encode()
    rows, values = settle(Ids(together.indices.to_numpy(), together.dictionary), None)
    bounds = np.cumsum([len(c) for c in columns])[:-1]
    return np.split(rows, bounds), values


def _plain(values: pa.Array, where: str) -> pa.Array:
    kind = values.type
    if pa.types.is_integer(kind):
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid:  # uint64 beyond int64
            return values.cast(pa.string())
    if pa.types.is_floating(kind):
        try:
            return pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values).cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise UserError(f"{where} holds fractions; ids are whole numbers or strings.") from error
    if any(is_text(kind) for is_text in TEXT):
        try:
            values = values.cast(pa.string())
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise UserError(f"{where} holds bytes that are not UTF-8 text; ids are whole numbers or text.") from error
    if not pa.types.is_string(values.type):
        raise UserError(f"{where} holds {kind}; ids are whole numbers or strings.")
    values = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
