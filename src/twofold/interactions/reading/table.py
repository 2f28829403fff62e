"""One file of interactions as a table: distinct pairs of rows into the lists of ids, with weights and times."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from twofold.errors import UserError
from twofold.interactions.reading.arrays import npz_names, read_npz
from twofold.interactions.reading.content import check_file
from twofold.interactions.reading.ids import settle
from twofold.interactions.reading.numbers import mixed_units
from twofold.interactions.reading.parquet import parquet_names, read_parquet
from twofold.interactions.reading.raw import Named, Raw
from twofold.interactions.reading.text import read_text, text_names


@dataclass(frozen=True)
class Table:
    """E distinct pairs in the order of the file.

    users, items: int64 (E,), rows of user_ids and item_ids. user_ids (U,), item_ids (I,): the original ids, int64 and
    ascending or strings in the order in which the file first names them; each of them has a pair. weight: float32
    (E,) or None. time: float64 (E,), seconds since 1970 where the file has dates, or None. dropped: rows that were
    left out, counted by reason. taken: which columns were read, in words. notes: what else to say of the file.
    disliked: the pairs below min_weight, user and item as text, or None where none was given.
    """

    users: np.ndarray
    items: np.ndarray
    user_ids: pa.Array
    item_ids: pa.Array
    weight: np.ndarray | None
    time: np.ndarray | None
    path: str
    dropped: dict[str, int]
    taken: str = ""
    notes: Sequence[str] = ()
    disliked: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.users)

    def describe(self) -> str:
        """One sentence: the file, its pairs, users, items and density, the columns, what was dropped."""
        users, items = len(self.user_ids), len(self.item_ids)
        density = 100 * len(self) / max(1, users * items)
        text = f"{self.path}: {len(self):,} pairs of {users:,} users and {items:,} items (density {density:.2g} %)"
        text += f"; {self.taken}" if self.taken else ""
        return text + (f"; dropped: {_listed(self.dropped)}" if self.dropped else "")


def read_table(
    path: str | os.PathLike[str],
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    weight: str | int | None = None,
    time: str | int | None = None,
    min_weight: float | None = None,
    lists: bool = False,
    needs: Collection[str] = ("weight", "time"),
) -> Table:
    """The interactions in a local file.

    path: CSV, TSV, text between semicolons or blanks, with or without a header; RecBole's .inter; text with one line
    `user item item ...` for each user; each of them plain or .gz; .parquet; .npz of a SciPy sparse matrix or of
    arrays. What kind it is is found by looking at it.

    user, item, weight, time: columns by name, or by number counted from 0. Where they are not given they are known by
    their usual names, and users and items are otherwise the first two columns; weight='' or time='' reads none.
    min_weight: rows of a smaller weight are dropped. lists: the file has one line for each user, also where all its
    lines are of the same length. needs: which of weight and time are read; a column of the others is recognised and
    left alone.

    Rows without an id, or with an empty weight or time, are dropped and counted. Repeated pairs are kept once, at
    their first place with their first weight and their latest time. Raises UserError for whatever cannot be read.
    """
    path = os.path.expanduser(os.fspath(path))
    unread = tuple(role for role in ("weight", "time") if role not in needs)
    named = Named(user, item, weight, time, unread)
    kind = check_file(path)
    if kind == "parquet":
        raw = read_parquet(path, named)
    elif kind == "npz":
        raw = read_npz(path, named)
    else:
        raw = read_text(path, named, lists)
    return _settled(path, raw, min_weight)


def _settled(path: str, raw: Raw, min_weight: float | None) -> Table:
    dropped = dict(raw.dropped)
    keep: np.ndarray | None = None
    disliked: pa.Table | None = None

    def drop(reason: str, bad: np.ndarray) -> None:
        nonlocal keep
        if not bad.any():
            return
        keep = np.ones(len(bad), bool) if keep is None else keep
        if count := int((keep & bad).sum()):
            dropped[reason] = count
        keep = keep & ~bad

    drop("empty ids", (raw.users.codes < 0) | (raw.items.codes < 0))
    if raw.weight is not None:
        drop("empty weights", ~np.isfinite(raw.weight))
    if raw.time is not None:
        drop("empty times", ~np.isfinite(raw.time))
    if min_weight is not None:
        if raw.weight is None:
            raise UserError(f"{path} has no weights that min_weight could compare; name their column with weight.")
        below = raw.weight < min_weight
        disliked = _ids_of(raw, below if keep is None else below & keep)
        drop("below --min-weight", below)
    if not len(raw.users.codes) or (keep is not None and not keep.any()):
        but = f" but rows with {_listed(dropped)}" if dropped else ""
        raise UserError(f"{path} holds no interactions{but}.")
    users, user_ids = settle(raw.users, keep)
    items, item_ids = settle(raw.items, keep)
    weight = _kept(raw.weight, keep, np.float32)
    time = _kept(raw.time, keep, np.float64)
    units = "" if time is None else mixed_units(time)
    notes = [*raw.notes, *([units] if units else [])]
    first, time = _distinct(users * len(item_ids) + items, time)
    if first is not None:
        dropped["duplicates"] = len(users) - len(first)
        users, items, weight = users[first], items[first], None if weight is None else weight[first]
    return Table(users, items, user_ids, item_ids, weight, time, path, dropped, raw.taken, notes, disliked)


def _ids_of(raw: Raw, rows: np.ndarray) -> pa.Table:
    """The pairs of some rows, user and item as text."""
    sides = {"user": raw.users, "item": raw.items}
    return pa.table({side: ids.values.take(pa.array(ids.codes[rows])).cast(pa.string()) for side, ids in sides.items()})


def column_names(path: str, named: Named) -> list[str] | None:
    """The names of a file's columns, [] without a header, None where it has no columns (lists, sparse matrices)."""
    path = os.path.expanduser(path)
    kind = check_file(path)
    if kind == "parquet":
        return parquet_names(path)
    return npz_names(path) if kind == "npz" else text_names(path, named)


def _kept(values: np.ndarray | None, keep: np.ndarray | None, kind: type) -> np.ndarray | None:
    return None if values is None else (values if keep is None else values[keep]).astype(kind, copy=False)


def _distinct(keys: np.ndarray, time: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The place of the first of each key, ascending, or None where no key is repeated; with each one's latest time."""
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return None, time
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(keys[order]) != 0]))
    first = order[starts]
    back = np.argsort(first)
    if time is not None:
        time = np.maximum.reduceat(time[order], starts)[back]
    return first[back], time


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
