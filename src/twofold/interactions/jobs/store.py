"""What a finished run keeps: tables, propagated embeddings, original ids and the pairs it learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from twofold.bounded import ArrayError, check_parquet
from twofold.catalog.composition import Composition
from twofold.errors import UserError, clause
from twofold.files import plainly, write_atomically, write_safetensors
from twofold.interactions.graph import Bipartite
from twofold.interactions.methods.als import ALS
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import Interactions
from twofold.interactions.systems import composed
from twofold.methods.build import build
from twofold.runs.config import expect, read_config
from twofold.seam import Situation

MODEL_FILE = "model.safetensors"
TABLES = ("user_ids", "item_ids", "pairs", "held_out")
EMPTY = MappingProxyType[str, Tensor]({})
LEFT_OUT = "left_out"  # of version 0.1.0 on; pairs of the data that are in no part


def write_tables(path: Path, method: LightGCN) -> None:
    """The learned tables, user (U, d) and item (I, d), as safetensors."""
    write_safetensors(path, dict(method.backbone.named_parameters()))


def read_tables(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of `write_tables` or `write_model`. Raises UserError where it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with plainly(path) as plain:
            return load_file(plain)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} cannot be read as embeddings ({clause(error)}).") from error


def write_model(folder: Path, method: LightGCN) -> None:
    """model.safetensors: user, item (the tables), user_embedding, item_embedding."""
    with torch.no_grad():
        user, item = method.represent()
    write_embeddings(folder, user, item, dict(method.backbone.named_parameters()))


def write_embeddings(folder: Path, user: Tensor, item: Tensor, tables: Mapping[str, Tensor] = EMPTY) -> None:
    """model.safetensors: user_embedding (U, d) and item_embedding (I, d), beside the tables that they come from."""
    write_safetensors(folder / MODEL_FILE, {**tables, "user_embedding": user, "item_embedding": item})


def write_data(folder: Path, data: Interactions) -> None:
    """As parquet user_ids, item_ids, the pairs learned from, those held out, which are not recommended either, and,
    where there are such, those left out for their weight or by the core, by id."""
    others = [part for part in (data.valid, data.test) if part is not None]
    columns = {
        "user_ids": pa.table({"user": data.user_ids}),
        "item_ids": pa.table({"item": data.item_ids}),
        "pairs": _as_table(data.train),
        "held_out": _as_table(np.concatenate([np.empty((0, 2), np.int64), *others])),
    }
    if data.left_out is not None:
        columns[LEFT_OUT] = data.left_out
    for name, table in columns.items():
        write_atomically(folder / f"{name}.parquet", partial(pq.write_table, table))


class Ranker(Protocol):
    """What ranks items: (b, I) scores for users (b,), by what it learned or by the items `having` of other users."""

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Embeddings:
    """Propagated embeddings of users (U, d) and items (I, d); degree: int64 (I,), the users that each item has. als: by
    which new users are folded in, where it made them."""

    user: Tensor
    item: Tensor
    degree: Tensor
    als: ALS | None = None

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor:
        """The products of some users with all items; other users are folded in."""
        rows = self.user[users] if having is None else self.fold_in(users, having)
        return rows @ self.item.T

    def fold_in(self, users: Tensor, having: Ragged) -> Tensor:
        """Embeddings (b, d) of new users from their items, the items' as they are: one step of propagation,
        z_u = sum over the user's items of z_i / sqrt(d_u d_i), or one of ALS's least squares.
        """
        row, item = having.rows(users)
        if self.als is not None:
            return self.als.fold_in(self.item, self.gram, row, item, len(users))
        weight = (having.count()[users][row] * self.degree[item].clamp_min(1)).rsqrt()
        return torch.zeros(len(users), self.item.shape[1]).index_add_(0, row, weight[:, None] * self.item[item])

    @cached_property
    def gram(self) -> Tensor:
        """The items' products with one another, summed over items: (d, d)."""
        return self.item.T @ self.item


@dataclass(frozen=True)
class Recommender:
    """A finished run: what ranks, original ids, the items that each user has anywhere in the data, the pairs learned
    from, int64 (E, 2), those held out, int64 (n, 2), and those left out, user and item as text."""

    method: str
    ranker: Ranker
    user_ids: pa.Array
    item_ids: pa.Array
    seen: Ragged
    pairs: np.ndarray
    held_out: np.ndarray
    left_out: pa.Table

    @property
    def popularity(self) -> Tensor:
        """How many users each item has, among the pairs learned from: float32 (I,)."""
        return torch.bincount(torch.from_numpy(self.pairs[:, 1]), minlength=len(self.item_ids)).float()

    @property
    def embeddings(self) -> Embeddings:
        """Raises UserError where the method has none."""
        if not isinstance(self.ranker, Embeddings):
            raise UserError(
                f"{self.method} ranks without embeddings; use a run of lightgcn, sgl, bpr-mf or als for this."
            )
        return self.ranker


def read_model(run: str | Path) -> Recommender:
    """The recommender of a run folder. Raises UserError where there is none."""
    folder = Path(run)
    config = read_config(folder)
    composition = composed(str(config.get("method")))
    if composition.imports and not composition.trained:
        raise UserError(f"{folder} asks to import {composition.imports[0]}, which only a command may: run it anew.")
    _require(folder, *(f"{name}.parquet" for name in TABLES), *([MODEL_FILE] if composition.trained else []))
    user_ids, item_ids = (_ids(folder / f"{side}_ids.parquet", side) for side in ("user", "item"))
    known = (len(user_ids), len(item_ids))
    pairs, rest = (_pairs(folder / f"{name}.parquet", known) for name in ("pairs", "held_out"))
    if composition.trained:
        ranker: Ranker = _embeddings(folder, pairs, known)
    else:
        learned = Bipartite(torch.from_numpy(pairs), len(user_ids), len(item_ids))
        expect(config, folder, method_options=dict[str, Any] | None)
        made = ranker_of(composition, learned, config.get("method_options") or {})[0]
        ranker = _embeddings(folder, pairs, known, made) if isinstance(made, ALS) else made
    beside = _left_out(folder)
    every = np.concatenate([pairs, rest, rows_of_pairs(beside, user_ids, item_ids)])
    return Recommender(
        composition.name, ranker, user_ids, item_ids, Ragged.of(every, len(user_ids)), pairs, rest, beside
    )


def _require(folder: Path, *names: str) -> None:
    """Refuse, by a UserError, a folder that lacks one of these files."""
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise UserError(
            f"{folder} holds no {missing[0]}: the run has not finished; start the same pretrain command again."
        )


def _embeddings(folder: Path, pairs: np.ndarray, known: tuple[int, int], als: ALS | None = None) -> Embeddings:
    _require(folder, MODEL_FILE)
    tensors = read_tables(folder / MODEL_FILE)
    _check_embeddings(folder / MODEL_FILE, tensors, known)
    degree = torch.bincount(torch.from_numpy(pairs[:, 1]), minlength=known[1])
    return Embeddings(tensors["user_embedding"], tensors["item_embedding"], degree, als)


def _left_out(folder: Path) -> pa.Table:
    file = folder / f"{LEFT_OUT}.parquet"
    if not file.is_file():
        return pa.table({side: pa.array([], pa.string()) for side in ("user", "item")})
    columns = _columns(file, "user", "item")
    if any(column.null_count or not pa.types.is_string(column.type) for column in columns):
        raise _damaged(file, "its ids are no text")
    return pa.table(dict(zip(("user", "item"), columns, strict=True)))


def rows_of_pairs(pairs: pa.Table, user_ids: pa.Array, item_ids: pa.Array) -> np.ndarray:
    """The rows of pairs of ids, int64 (n, 2), without those of which one id is not there."""
    sides = {"user": user_ids, "item": item_ids}
    rows = np.stack([rows_of(pairs[side].combine_chunks(), ids) for side, ids in sides.items()], 1)
    return rows[(rows >= 0).all(1)]


def _ids(file: Path, side: str) -> pa.Array:
    """The original ids of users or items, by row."""
    column = _columns(file, side)[0]
    ids = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if ids.null_count or not len(ids) or pa.types.is_nested(ids.type):
        raise _damaged(file, "it holds no ids, or empty ones")
    return ids


def _pairs(file: Path, known: tuple[int, int]) -> np.ndarray:
    """Pairs of rows, int64 (E, 2), each of a user and an item that there is."""
    columns = _columns(file, "user", "item")
    if any(column.null_count or not pa.types.is_integer(column.type) for column in columns):
        raise _damaged(file, "its rows are no numbers")
    pairs = np.stack([column.to_numpy().astype(np.int64) for column in columns], 1)
    if len(pairs) and not (pairs.min() >= 0 and (pairs.max(0) < known).all()):
        raise _damaged(file, "it names users or items that there are none of")
    return pairs


def _columns(file: Path, *names: str) -> list[pa.ChunkedArray]:
    try:
        with plainly(file) as plain:
            check_parquet(pq.read_metadata(plain), file.stat().st_size, names)
            table = pq.read_table(plain, columns=list(names))
        table.validate(full=True)
        return [table[name] for name in names]
    except (pa.ArrowException, ArrayError, OSError, KeyError, ValueError, TypeError) as error:
        raise _damaged(file, clause(error)) from error


def _check_embeddings(file: Path, tensors: Mapping[str, Tensor], known: tuple[int, int]) -> None:
    found = [tensors.get(f"{side}_embedding") for side in ("user", "item")]
    tables = [t for t in found if t is not None and t.ndim == 2 and t.is_floating_point()]
    if tuple(len(table) for table in tables) != known or tables[0].shape[1] != tables[1].shape[1]:
        raise _damaged(file, "its embeddings do not go with the ids beside")


def _damaged(file: Path, why: str) -> UserError:
    return UserError(
        f"{file} is damaged ({why}): restore it, or train anew with another --out; the report can still be made."
    )


def ranker_of(
    composition: Composition, learned: Bipartite, options: Mapping[str, Any], recipe: str = "default"
) -> tuple[Ranker | ALS, dict[str, Any]]:
    """A ranker that is not trained in steps, of the pairs to learn from, and every setting it was built with."""
    situation = Situation(count=len(learned.pairs), batch_size=1)
    return build(composition, learned, situation, composition.recipes[recipe], options)


def _as_table(pairs: np.ndarray) -> pa.Table:
    return pa.table({"user": pairs[:, 0], "item": pairs[:, 1]})


def rows_of(wanted: pa.Array, ids: pa.Array) -> np.ndarray:
    """The row of each wanted id among the ids, int64, -1 where it is not there; compared as text where types differ."""
    if wanted.type != ids.type:
        wanted, ids = wanted.cast(pa.string()), ids.cast(pa.string())
    return np.asarray(pc.index_in(wanted, value_set=ids).fill_null(-1), dtype=np.int64)
