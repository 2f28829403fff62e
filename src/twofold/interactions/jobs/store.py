"""What a finished run keeps: tables, propagated embeddings, original ids and the pairs it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.interactions.evaluation.ragged import Ragged
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.reading.splits import Interactions
from twofold.training.files import write_atomically

MODEL_FILE = "model.safetensors"
TABLES = ("user_ids", "item_ids", "pairs", "held_out")


def write_tables(path: Path, method: LightGCN) -> None:
    """The learned tables, user (U, d) and item (I, d), as safetensors."""
    from safetensors.torch import save

    tables = {name: table.detach().cpu().contiguous() for name, table in method.backbone.named_parameters()}
    write_atomically(path, lambda handle: handle.write(save(tables)))


def read_tables(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of `write_tables` or `write_model`. Raises UserError where it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as embeddings ({str(error).splitlines()[0]}).") from error


def write_model(folder: Path, method: LightGCN, data: Interactions) -> None:
    """model.safetensors (user, item, user_embedding, item_embedding); as parquet user_ids, item_ids, the pairs learned
    from, and those held out, which are not recommended either."""
    from safetensors.torch import save

    held = [part for part in (data.valid, data.test) if part is not None]
    with torch.no_grad():
        user, item = method.represent()
    tensors = {
        **{name: table.detach() for name, table in method.backbone.named_parameters()},
        "user_embedding": user,
        "item_embedding": item,
    }
    packed = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    columns = {
        "user_ids": pa.table({"user": data.user_ids}),
        "item_ids": pa.table({"item": data.item_ids}),
        "pairs": _as_table(data.train),
        "held_out": _as_table(np.concatenate([np.empty((0, 2), np.int64), *held])),
    }
    for name, table in columns.items():
        write_atomically(folder / f"{name}.parquet", partial(pq.write_table, table))
    write_atomically(folder / MODEL_FILE, lambda handle: handle.write(packed))


@dataclass(frozen=True)
class Recommender:
    """A finished run: propagated embeddings (U, d) and (I, d), original ids, the items that each user has, held-out
    ones included, and the pairs learned from, int64 (E, 2)."""

    user: Tensor
    item: Tensor
    user_ids: pa.Array
    item_ids: pa.Array
    seen: Ragged
    pairs: np.ndarray

    def scores(self, users: Tensor) -> Tensor:
        """The products of some users with all items, (b, I)."""
        return self.user[users] @ self.item.T


def read_model(run: str | Path) -> Recommender:
    """The recommender of a run folder. Raises UserError where there is none."""
    folder = Path(run)
    missing = [name for name in (MODEL_FILE, *(f"{t}.parquet" for t in TABLES)) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} holds no {missing[0]}: the run has not finished; start the same pretrain command again."
            if (folder / "config.yaml").is_file()
            else f"{folder} is not a run folder: it holds no config.yaml."
        )
    held = {name: pq.read_table(folder / f"{name}.parquet") for name in TABLES}
    tensors = read_tables(folder / MODEL_FILE)
    pairs, rest = (np.stack([held[name][c].to_numpy() for c in ("user", "item")], 1) for name in ("pairs", "held_out"))
    user_ids, item_ids = (held[f"{side}_ids"][side].combine_chunks() for side in ("user", "item"))
    seen = Ragged.of(np.concatenate([pairs, rest]), len(user_ids))
    return Recommender(tensors["user_embedding"], tensors["item_embedding"], user_ids, item_ids, seen, pairs)


def _as_table(pairs: np.ndarray) -> pa.Table:
    return pa.table({"user": pairs[:, 0], "item": pairs[:, 1]})


def rows_of(wanted: pa.Array, ids: pa.Array) -> np.ndarray:
    """The row of each wanted id among the ids, int64, -1 where it is not there; compared as text where types differ."""
    if wanted.type != ids.type:
        wanted, ids = wanted.cast(pa.string()), ids.cast(pa.string())
    return np.asarray(pc.index_in(wanted, value_set=ids).fill_null(-1), dtype=np.int64)
