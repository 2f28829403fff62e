"""Training on: a method whose tables start from those of a finished run, by id."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from twofold.errors import UserError
from twofold.interactions.jobs.store import MODEL_FILE, read_model, read_tables, rows_of
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.reading.splits import Interactions

CHUNK = 2**24


def start_from(run: str, method: LightGCN, data: Interactions) -> str:
    """Copy the tables of a run into a method, row by row of the same id. Returns a sentence about it.

    Raises UserError where the run has not finished, was not trained, or has tables of another width.
    """
    model, counts = read_model(run), []
    tables = read_tables(model_file(run)) if model.embeddings else {}
    sides = (("users", "user", data.user_ids, model.user_ids), ("items", "item", data.item_ids, model.item_ids))
    for side, name, ids, own in sides:
        table, target = tables.get(name), getattr(method.backbone, name)
        if table is None or table.ndim != 2:
            raise UserError(f"{run} keeps no tables to train on from: give a run of lightgcn, sgl or bpr-mf.")
        if table.shape != (len(own), target.shape[1]):
            raise UserError(
                f"{run} has tables of {table.shape[1]} numbers, and this method some of {target.shape[1]}: "
                "give it the --method.dim of the run."
            )
        rows = torch.from_numpy(rows_of(ids, own))
        known = rows >= 0
        with torch.no_grad():
            target[known] = table[rows[known]].to(target.dtype)
        counts.append(f"{int(known.sum()):,} of {len(ids):,} {side}")
    return f"Tables of {' and '.join(counts)} start from {run}, those of others at random."


def model_file(run: str) -> Path:
    """The file of tables of a run."""
    return Path(run) / MODEL_FILE


def tables_digest(run: str) -> str:
    """A digest of the tables of a run, wherever it lies."""
    state = hashlib.blake2b(digest_size=16)
    with model_file(run).open("rb") as file:
        while part := file.read(CHUNK):
            state.update(part)
    return state.hexdigest()
