"""`recommend` and `similar`: the best items of users, known or new, and the nearest items of items, by original ids."""

from __future__ import annotations

from collections.abc import Iterator
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
from twofold.interactions.jobs.store import Recommender, read_model, rows_of
from twofold.interactions.options import Recommend, Similar
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.table import read_table
from twofold.runs.screen import progress_bar

CHUNK = 2**26  # scores at a time


def recommend(run: str, options: Recommend) -> Path:
    """Write user, rank, item, score and basis for the users that are named; see `api.recommend`. Returns the file."""
    model, k = read_model(run), options.k
    allowed = _candidates(model, options.candidates)
    tables: list[Iterator[pa.Table]] = []
    if options.history:
        tables.append(_for_new(model, options.history, k, allowed, options))
    if options.users or not options.history:
        tables.append(_for_known(model, options.users, k, allowed, options))
    out = Path(options.out or Path(run) / "recommendations.parquet")
    count, users = _write(out, chain(*tables), "user")
    print(f"{count:,} recommendations for {users:,} users: {out}")
    return out


def similar(run: str, items: str, options: Similar) -> Path:
    """Write item, rank, similar and cosine of the propagated embeddings; see `api.similar`. Returns the file."""
    model, k = read_model(run), options.k
    rows, unknown = _rows_of(model.item_ids, _listed(items, model.item_ids), "item")
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
    print(f"{k} neighbours of {len(rows):,} items: {out}")
    return out


def _write(out: Path, tables: Iterator[pa.Table], whose: str) -> tuple[int, int]:
    """Write tables one after the other, so that only one is held; returns how many rows, and of how many."""
    first = next(tables)
    counts = [first.num_rows, pc.count_distinct(first[whose]).as_py()]

    with beside(out) as part, pq.ParquetWriter(part, first.schema) as writer:
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
    if listed:
        rows, unknown = _rows_of(model.user_ids, _listed(listed, model.user_ids), "user")
    without = torch.bincount(torch.from_numpy(model.pairs[:, 0]), minlength=len(model.user_ids))[rows] == 0
    strangers = [*(model.user_ids[int(row)].as_py() for row in rows[without]), *unknown]
    if strangers:
        yield _popular(model, pa.array(strangers, type=model.user_ids.type), k, allowed)
    if strangers and not options.quiet:
        print(f"{len(strangers):,} users without any item to learn from get the most popular items.")
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


def _for_new(
    model: Recommender, history: str, k: int, allowed: Tensor | None, options: Recommend
) -> Iterator[pa.Table]:
    """Users of a file of pairs, whom the run need not know, by folding them in."""
    table = read_table(history)
    known, unknown = _rows_of(model.item_ids, table.item_ids.to_pylist(), "item", keep=True)
    items = known.numpy()[table.items]
    keep = items >= 0
    if unknown and not options.quiet:
        print(f"{len(unknown):,} items of {history} are not known to the run and count for nothing.")
    own = Ragged.of(np.stack([table.users[keep], items[keep]], axis=1), len(table.user_ids))
    empty = own.count() == 0
    if bool(empty.any()):
        yield _popular(model, table.user_ids.take(pa.array(torch.nonzero(empty)[:, 0].numpy())), k, allowed)
    seen = None if options.include_seen else own
    for part in _parts(torch.nonzero(~empty)[:, 0], len(model.item_ids)):
        scores = _masked(model.ranker.scores(part, own), allowed)
        top = top_items(scores, seen, part, k)
        made = _table("user", table.user_ids, part, model.item_ids, top, scores, ("item", "score"))
        yield _with_basis(made, "history")


def _popular(model: Recommender, users: pa.Array, k: int, allowed: Tensor | None) -> pa.Table:
    """The most popular items for new users without any items."""
    degree = torch.bincount(torch.from_numpy(model.pairs[:, 1]), minlength=len(model.item_ids)).float()
    top = top_items(_masked(degree[None], allowed), None, torch.zeros(1, dtype=torch.int64), k)[0]
    top = top[top >= 0]
    places, who = np.tile(top.numpy(), len(users)), np.repeat(np.arange(len(users)), len(top))
    return pa.table(
        {
            "user": users.take(pa.array(who)),
            "rank": pa.array(np.tile(np.arange(1, len(top) + 1), len(users))),
            "item": model.item_ids.take(pa.array(places)),
            "score": pa.array(np.tile(degree[top].numpy(), len(users))),
            "basis": pa.array(["popularity"] * len(places)),
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
    return table.append_column("basis", pa.array([basis] * table.num_rows))


def _masked(scores: Tensor, allowed: Tensor | None) -> Tensor:
    return scores if allowed is None else scores.masked_fill(~allowed, float("-inf"))


def _candidates(model: Recommender, listed: str | None) -> Tensor | None:
    """bool (I,): the items that may be recommended, or None for all."""
    if listed is None:
        return None
    rows, unknown = _rows_of(model.item_ids, _listed(listed, model.item_ids), "item")
    if unknown:
        print(f"{len(unknown):,} candidates are not known to the run and are left out.")
    if not len(rows):
        raise UserError(f"{listed} names no item that the run knows.")
    return torch.zeros(len(model.item_ids), dtype=torch.bool).index_fill_(0, rows, True)


def _listed(listed: str, like: pa.Array) -> list[Any]:
    """Ids from a file, one a line, or from a list with commas; of the type of the ids they are compared with."""
    path = Path(listed)
    text = path.read_text(encoding="utf-8").splitlines() if path.is_file() else listed.split(",")
    names = [name.strip() for name in text if name.strip()]
    if not names:
        raise UserError(f"{listed} names no ids.")
    if not pa.types.is_integer(like.type):
        return names
    wrong = next((name for name in names if not name.lstrip("-").isdigit()), None)
    if wrong is not None:
        raise UserError(f'The ids of this run are whole numbers, and "{wrong}" is none.')
    return [int(name) for name in names]


def _rows_of(ids: pa.Array, wanted: list[Any], what: str, keep: bool = False) -> tuple[Tensor, list[Any]]:
    """(rows of the wanted ids, those that are not there); with keep, -1 stands for these."""
    found = torch.from_numpy(rows_of(pa.array(wanted), ids))
    unknown = [wanted[int(i)] for i in torch.nonzero(found < 0)[:, 0]]
    return (found if keep else found[found >= 0]), unknown


def _parts(rows: Tensor, items: int) -> Iterator[Tensor]:
    yield from rows.split(max(CHUNK // max(items, 1), 1)) if len(rows) else ()


def _more(unknown: list[Any]) -> str:
    return f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
