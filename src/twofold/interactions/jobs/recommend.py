"""`recommend` and `similar`: the best items of users, known or new, and the nearest items of items, by original ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError
from twofold.files import beside
from twofold.interactions.evaluation.ranking import top_items
from twofold.interactions.jobs.parts import read_as_run
from twofold.interactions.jobs.store import Recommender, read_model, rows_of, rows_of_pairs
from twofold.interactions.options import Recommend, Similar
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.id_list import read_ids
from twofold.interactions.reading.ids import union
from twofold.interactions.reading.table import Table
from twofold.printable import say
from twofold.runs.config import read_config
from twofold.runs.screen import progress_bar

CHUNK = 2**26  # scores at a time


def recommend(run: str, options: Recommend) -> Path:
    """Write user, rank, item, score and basis for the users that are named; see `api.recommend`. Returns the file."""
    model = read_model(run)
    k = min(options.k, len(model.item_ids))
    allowed = _candidates(model, options.candidates)
    tables: list[Iterator[pa.Table]] = []
    if options.history is not None:
        table, notes = _history(run, options.history, model)
        if notes and not options.quiet:
            say("\n".join(notes))
        tables.append(_for_new(model, table, k, allowed, options))
    if options.users is not None or options.history is None:
        tables.append(_for_known(model, options.users, k, allowed, options))
    out = Path(options.out or Path(run) / "recommendations.parquet")
    count, users = _write(out, chain(*tables), "user")
    say(f"{count:,} recommendations for {users:,} users: {out}")
    return out


def similar(run: str, items: str, options: Similar) -> Path:
    """Write item, rank, similar and cosine of the propagated embeddings; see `api.similar`. Returns the file."""
    model = read_model(run)
    k = min(options.k, len(model.item_ids))
    rows, unknown = _rows_of(model.item_ids, read_ids(items, model.item_ids, "The list of items"))
    if unknown:
        raise UserError(f"{run} does not know the item {unknown[0]!r}{_more(unknown)}.")
    unit = F.normalize(model.embeddings.item, dim=1)
    # The item itself, which is always nearest, is what has been "seen".
    itself = Ragged(torch.arange(len(unit) + 1), torch.arange(len(unit)))

    def tables() -> Iterator[pa.Table]:
        for part in _parts(rows, len(unit)):
            scores = unit[part] @ unit.T
            top = top_items(scores, itself, part, k)
            yield _table("item", model.item_ids, part, model.item_ids, top, scores, ("similar", "cosine"))

    out = Path(options.out or Path(run) / "similar.parquet")
    _write(out, tables(), "item")
    say(f"{k} neighbours of {len(rows):,} items: {out}")
    return out


def _write(out: Path, tables: Iterator[pa.Table], whose: str) -> tuple[int, int]:
    """Write tables one after the other, so that only one is held; returns how many rows, and of how many."""
    first = next(tables)
    counts = [first.num_rows, pc.count_distinct(first[whose]).as_py()]

    with beside(out) as part, part.open("wb") as handle, pq.ParquetWriter(handle, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            if table.schema != first.schema:
                raise UserError(
                    "The users of --history have ids of another type than the run's: ask for them in a command of "
                    "their own."
                )
            writer.write_table(table)
            counts[0] += table.num_rows
            counts[1] += pc.count_distinct(table[whose]).as_py()
    return counts[0], counts[1]


def _for_known(
    model: Recommender, listed: str | None, k: int, allowed: Tensor | None, options: Recommend
) -> Iterator[pa.Table]:
    rows, unknown = torch.arange(len(model.user_ids)), list[Any]()
    if listed is not None:
        rows, unknown = _rows_of(model.user_ids, read_ids(listed, model.user_ids, "--users"))
    without = torch.bincount(torch.from_numpy(model.pairs[:, 0]), minlength=len(model.user_ids))[rows] == 0
    cold = rows[without]
    strangers = pa.concat_arrays(
        [model.user_ids.take(pa.array(cold.numpy())), pa.array(unknown, type=model.user_ids.type)]
    )
    if len(strangers):
        yield from _popular(
            model, strangers, None if options.include_seen else _anywhere(model, cold, unknown), k, allowed
        )
    if len(strangers) and not options.quiet:
        say(f"{len(strangers):,} users without any item to learn from get the most popular items.")
    seen = None if options.include_seen else model.seen
    with progress_bar("recommending", options.quiet) as on_progress:
        done, known = 0, rows[~without]
        for part in _parts(known, len(model.item_ids)):
            scores = _masked(model.ranker.scores(part), allowed)
            top = top_items(scores, seen, part, k)
            made = _table("user", model.user_ids, part, model.item_ids, top, scores, ("item", "score"))
            yield _with_basis(made, "model")
            done += len(part)
            on_progress(done, len(known))


def _anywhere(model: Recommender, cold: Tensor, unknown: list[Any]) -> Ragged:
    """The items that users without a train pair have in the data: first those with a row, then those without."""
    row, item = model.seen.rows(cold)
    beside, ids = model.left_out, pa.array(unknown, type=model.user_ids.type)
    left_out = rows_of_pairs(beside, ids, model.item_ids) + np.array([len(cold), 0])
    return Ragged.of(np.concatenate([torch.stack([row, item], 1).numpy(), left_out]), len(cold) + len(unknown))


def _history(run: str, path: str, model: Recommender) -> tuple[Table, list[str]]:
    """The pairs of new users, those with none but disliked ones among them; ids are text where the run's are."""
    if not path:
        raise UserError("--history is empty: give a file of pairs of new users, or leave it out.")
    table, notes = read_as_run(path, read_config(run))
    if table.disliked is not None:
        users = pc.unique(table.disliked["user"])
        rows, ids = union([table.user_ids, users])
        table = replace(table, users=rows[0][table.users], user_ids=ids)
    if pa.types.is_string(model.user_ids.type) and not pa.types.is_string(table.user_ids.type):
        table = replace(table, user_ids=table.user_ids.cast(pa.string()))
    return table, notes


def _for_new(
    model: Recommender, table: Table, k: int, allowed: Tensor | None, options: Recommend
) -> Iterator[pa.Table]:
    """Users of a file of pairs, whom the run need not know, by folding them in."""
    known = rows_of(table.item_ids, model.item_ids)
    items = known[table.items]
    keep = items >= 0
    if (known < 0).any() and not options.quiet:
        say(f"{(known < 0).sum():,} items of {table.path} are not known to the run and count for nothing.")
    pairs = np.stack([table.users[keep], items[keep]], axis=1)
    own = every = Ragged.of(pairs, len(table.user_ids))
    if table.disliked is not None:
        disliked = rows_of_pairs(table.disliked, table.user_ids, model.item_ids)
        every = Ragged.of(np.concatenate([pairs, disliked]), len(table.user_ids))
    seen = None if options.include_seen else every
    empty = torch.nonzero(own.count() == 0)[:, 0]
    if len(empty):
        users = table.user_ids.take(pa.array(empty.numpy()))
        yield from _popular(model, users, None if seen is None else _some(seen, empty), k, allowed)
    new = torch.nonzero(own.count())[:, 0]
    with progress_bar("recommending to new users", options.quiet) as on_progress:
        done = 0
        for part in _parts(new, len(model.item_ids)):
            scores = _masked(model.ranker.scores(part, own), allowed)
            top = top_items(scores, seen, part, k)
            made = _table("user", table.user_ids, part, model.item_ids, top, scores, ("item", "score"))
            yield _with_basis(made, "history")
            done += len(part)
            on_progress(done, len(new))


def _some(ragged: Ragged, users: Tensor) -> Ragged:
    row, item = ragged.rows(users)
    return Ragged.of(torch.stack([row, item], 1), len(users))


def _popular(
    model: Recommender, users: pa.Array, seen: Ragged | None, k: int, allowed: Tensor | None
) -> Iterator[pa.Table]:
    """The most popular items for users without any to learn from. seen: what they have, by their place in `users`."""
    degree = model.popularity[None]
    having = torch.zeros(len(users), dtype=torch.bool) if seen is None else seen.count() > 0
    nothing = torch.nonzero(~having)[:, 0]
    yield _most_popular(model, users.take(pa.array(nothing.numpy())), k, allowed)
    for part in _parts(torch.nonzero(having)[:, 0], len(model.item_ids)):
        scores = _masked(degree, allowed).expand(len(part), -1)
        made = _table("user", users, part, model.item_ids, top_items(scores, seen, part, k), scores, ("item", "score"))
        yield _with_basis(made, "popularity")


def _most_popular(model: Recommender, users: pa.Array, k: int, allowed: Tensor | None) -> pa.Table:
    """One list for all of the users."""
    degree = model.popularity
    top = top_items(_masked(degree[None], allowed), None, torch.zeros(1, dtype=torch.int64), k)[0]
    top = top[top >= 0]
    places, who = np.tile(top.numpy(), len(users)), np.repeat(np.arange(len(users)), len(top))
    return pa.table(
        {
            "user": users.take(pa.array(who)),
            "rank": pa.array(np.tile(np.arange(1, len(top) + 1), len(users))),
            "item": model.item_ids.take(pa.array(places)),
            "score": pa.array(np.tile(degree[top].numpy(), len(users))),
            "basis": pa.array(["popularity"] * len(places), pa.string()),
        }
    )


def _table(
    name: str, ids: pa.Array, rows: Tensor, item_ids: pa.Array, top: Tensor, scores: Tensor, columns: tuple[str, str]
) -> pa.Table:
    """One line for each of the top items, (b, k) with -1 where there are fewer."""
    there = top >= 0
    value = scores.gather(1, top.clamp_min(0))[there]
    rank = torch.arange(1, top.shape[1] + 1).expand_as(top)[there]
    whose = rows[:, None].expand_as(top)[there]
    return pa.table(
        {
            name: ids.take(pa.array(whose.numpy())),
            "rank": pa.array(rank.numpy()),
            columns[0]: item_ids.take(pa.array(top[there].numpy())),
            columns[1]: pa.array(value.float().numpy()),
        }
    )


def _with_basis(table: pa.Table, basis: str) -> pa.Table:
    return table.append_column("basis", pa.array([basis] * table.num_rows, pa.string()))


def _masked(scores: Tensor, allowed: Tensor | None) -> Tensor:
    return scores if allowed is None else scores.masked_fill(~allowed, float("-inf"))


def _candidates(model: Recommender, listed: str | None) -> Tensor | None:
    """bool (I,): the items that may be recommended, or None for all."""
    if listed is None:
        return None
    rows, unknown = _rows_of(model.item_ids, read_ids(listed, model.item_ids, "--candidates"))
    if unknown:
        say(f"{len(unknown):,} candidates are not known to the run and are left out.")
    if not len(rows):
        raise UserError("--candidates names no item that the run knows.")
    return torch.zeros(len(model.item_ids), dtype=torch.bool).index_fill_(0, rows, True)


def _rows_of(ids: pa.Array, wanted: list[Any]) -> tuple[Tensor, list[Any]]:
    """(rows of the wanted ids, those that are not there)."""
    found = torch.from_numpy(rows_of(pa.array(wanted, type=ids.type), ids))
    return found[found >= 0], [wanted[int(i)] for i in torch.nonzero(found < 0)[:, 0]]


def _parts(rows: Tensor, items: int) -> Iterator[Tensor]:
    yield from rows.split(max(CHUNK // max(items, 1), 1)) if len(rows) else ()


def _more(unknown: list[Any]) -> str:
    return f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
