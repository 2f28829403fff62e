"""Ranking on the validation pairs while a run goes on: the best epoch is kept, and a run that gains no more may end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.files import write_text
from twofold.interactions.evaluation.ranking import rank_all
from twofold.interactions.jobs.store import read_tables, write_tables
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.ragged import Ragged
from twofold.runs.schema import read_json, wrong_in
from twofold.seam import Method, Monitor, Progress

METRIC = "recall@20"
AT = (20,)
SHOWN = {
    "epoch": "epoch {:.4g}",
    "loss": "loss {:.4g}",
    "triples_per_second": "{:,.0f} triples/s",
    METRIC: "Recall@20 {:.4f}",
    "wait_share": "{:.0%} waiting for data",
}  # while a run goes on


@dataclass(frozen=True)
class Measurement:
    """An entry of best.json."""

    epoch: int
    value: float


class BestEpoch(Monitor):
    """Measures the metrics at 20 after every `every_epochs`; keeps the tables of the best epoch in the run folder.

    The run has had enough after `patience` epochs without a better one, counted from the end of the start plateau (0:
    never). users: int64 (n,), to rank for these only. Its history is kept in the folder, so that a resumed run ends
    like an uninterrupted one.
    """

    def __init__(
        self, folder: Path, seen: Ragged, relevant: Ragged, users: Tensor | None, *, every_epochs: int, patience: int
    ) -> None:
        self.folder, self.seen, self.relevant, self.users = folder, seen, relevant, users
        self.every_epochs, self.patience = every_epochs, patience
        self.enough = False

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        model = cast(LightGCN, method)
        with torch.no_grad():
            user, item = model.represent()
            ranking = rank_all(
                lambda users: user[users] @ item.T,
                self.relevant,
                self.seen,
                AT,
                users=self.users,
                on_progress=self.on_progress,
            )
        found = ranking.mean()
        best = self.best(before=progress.epoch)
        if best is None or found[METRIC] > best["value"]:
            write_tables(self.folder / "best.safetensors", model)
            best = {"epoch": progress.epoch, "value": found[METRIC]}
        history = [*self.history(before=progress.epoch), {"epoch": progress.epoch, "value": found[METRIC]}]
        write_text(self.folder / "best.json", json.dumps(history) + "\n")
        waited = progress.epoch - max(best["epoch"], model.plateau_left(progress.epoch))
        self.enough = bool(self.patience) and waited >= self.patience
        return {**found, "best_epoch": float(best["epoch"])}

    def history(self, before: int | None = None) -> list[dict[str, Any]]:
        """The measurements so far, {"epoch", "value"}; those before an epoch where one is given."""
        file = self.folder / "best.json"
        stored = read_json(file) if file.exists() else []
        if not isinstance(stored, list) or any(wrong_in(Measurement, entry) for entry in stored):
            raise UserError(f"{file} is damaged: restore it, or begin anew with another --out.")
        return [entry for entry in stored if before is None or entry["epoch"] < before]

    def best(self, before: int | None = None) -> dict[str, Any] | None:
        """The best of them, the first where several are equal."""
        return max(self.history(before), key=lambda entry: (entry["value"], -entry["epoch"]), default=None)

    def restore(self, method: LightGCN) -> int:
        """Put the tables of the best epoch into the method. Returns the epoch."""
        best = self.best()
        if best is None:
            raise ValueError("nothing has been measured")
        tables = read_tables(self.folder / "best.safetensors")
        own = dict(method.backbone.named_parameters())
        if any(name not in tables or tables[name].shape != own[name].shape for name in ("user", "item")):
            raise UserError(f"{self.folder / 'best.safetensors'} is of another run: begin anew with another --out.")
        with torch.no_grad():
            method.backbone.user.copy_(tables["user"])
            method.backbone.item.copy_(tables["item"])
        return int(best["epoch"])
