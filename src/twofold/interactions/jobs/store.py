"""What a finished run keeps: tables, propagated embeddings, original ids and the pairs it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.interactions.evaluation.ragged import Ragged
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.training.files import write_atomically

MODEL_FILE = "model.safetensors"


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


def write_model(folder: Path, method: LightGCN, user_ids: pa.Array, item_ids: pa.Array, pairs: np.ndarray) -> None:
    """model.safetensors (user, item, user_embedding, item_embedding), user_ids, item_ids and pairs as parquet."""
    from safetensors.torch import save

    with torch.no_grad():
        user, item = method.represent()
    tensors = {
        **{name: table.detach() for name, table in method.backbone.named_parameters()},
        "user_embedding": user,
        "item_embedding": item,
    }
    packed = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    write_atomically(folder / MODEL_FILE, lambda handle: handle.write(packed))
    columns = {
        "user_ids": pa.table({"user": user_ids}),
        "item_ids": pa.table({"item": item_ids}),
        "pairs": pa.table({"user": pairs[:, 0], "item": pairs[:, 1]}),
    }
    for name, table in columns.items():
        write_atomically(folder / f"{name}.parquet", partial(pq.write_table, table))


@dataclass(frozen=True)
class Recommender:
    """A finished run: propagated embeddings (U, d) and (I, d), original ids, and the items that each user has."""

    user: Tensor
    item: Tensor
    item_table: Tensor
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
    if not (folder / MODEL_FILE).is_file():
        raise UserError(
            f"{folder} holds no {MODEL_FILE}: the run has not finished; start the same pretrain command again."
            if (folder / "config.yaml").is_file()
            else f"{folder} is not a run folder: it holds no config.yaml."
        )
    held: dict[str, Any] = {
        name: pq.read_table(folder / f"{name}.parquet") for name in ("user_ids", "item_ids", "pairs")
    }
    tensors = read_tables(folder / MODEL_FILE)
    pairs = np.stack([held["pairs"]["user"].to_numpy(), held["pairs"]["item"].to_numpy()], axis=1)
    user_ids, item_ids = (held[f"{side}_ids"][side].combine_chunks() for side in ("user", "item"))
    return Recommender(
        tensors["user_embedding"], tensors["item_embedding"], tensors["item"], user_ids, item_ids,
        Ragged.of(pairs, len(user_ids)), pairs,
    )  # fmt: skip


def rows_of(wanted: pa.Array, ids: pa.Array) -> np.ndarray:
    """The row of each wanted id among the ids, int64, -1 where it is not there; compared as text where types differ."""
    if wanted.type != ids.type:
        wanted, ids = wanted.cast(pa.string()), ids.cast(pa.string())
    return np.asarray(pc.index_in(wanted, value_set=ids).fill_null(-1), dtype=np.int64)
