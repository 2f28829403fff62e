"""TKC: Temporal Knowledge Consistency for Unsupervised Visual Representation Learning (Feng et al., ICCV 2021).

A reconstruction of 2108.10668: no code was released, and numbers, layers and weights below are not the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass
from twofold.nets.knowledge import KnowledgeTransformer, Snapshots
from twofold.objectives.contrastive import temporal_nce, weighted
from twofold.processes import gather, rank
from twofold.seam import Progress, Situation, Term

EARLY = 0.05  # of the run: networks of this age have nothing to teach


class TKC(Addition):
    """An addition, reconstructed: the student also agrees with teachers of earlier stages of the run.

    Args:
        teachers: Number h of earlier teachers that are kept.
        interval: Epochs between two snapshots; a tenth of the run, one epoch at least, where None.
        snapshot_of: What is kept: the EMA "teacher" or the "student".
        adapter: What the knowledge transformer makes of a teacher's projection: "residual", "plain" or "identity".
        temperature: Temperature of the temporal loss; where None, the base's, or 0.2 where it has none.
        weight: Weight of the term, which grows from 0 over the first interval after a snapshot.
        bonus: Weight of the entropy of the teachers' importances, so that no teacher is left alone.
    """

    leaves_out = True  # the knowledge transformer waits for the first teacher

    def __init__(
        self,
        *,
        teachers: int = 2,
        interval: float | None = None,
        snapshot_of: Literal["teacher", "student"] = "teacher",
        adapter: Literal["residual", "plain", "identity"] = "residual",
        temperature: float | None = None,
        weight: float = 1.0,
        bonus: float = 0.01,
    ) -> None:
        super().__init__()
        repeated(teachers=teachers)
        above_zero(teachers=teachers, weight=weight)
        above_zero(**{k: v for k, v in {"interval": interval, "temperature": temperature}.items() if v is not None})
        self.teachers, self.interval, self.snapshot_of = teachers, interval, snapshot_of
        self.adapter, self.weight, self.bonus = adapter, weight, bonus
        self.temperature = temperature or 0.0

    def join(self, method: JointEmbedding) -> None:
        name = type(method).__name__
        if not method.momentum_teacher:
            raise UserError(f"tkc keeps old EMA teachers, and {name} has no EMA teacher; use moco+tkc or byol+tkc.")
        self.source = [method.teacher if self.snapshot_of == "teacher" else method.student]  # not a part of this module
        self.snapshots = Snapshots(self.source[0], self.teachers)
        self.transformer = KnowledgeTransformer(self.teachers, method.dim, self.adapter)
        self.temperature = self.temperature or method.temperature

    def terms(self, record: Pass) -> dict[str, Term]:
        every, first = self.calendar(record.progress)
        age = record.progress.step - first
        if age < 0:
            return {}
        present = list(self.snapshots.ring)[: age // every + 1]
        losses = [self.direction(record, present, i, j).mean() for i, j in record.directions]
        return {"tkc": Term(self.weight * min(age / every, 1.0), torch.stack(losses).mean())}

    def direction(self, record: Pass, present: list[nn.Module], i: int, j: int) -> Tensor:
        """The temporal loss (B,) of student view i against what the present teachers say of view j."""
        with torch.no_grad(), record.networks():
            taught = torch.stack([teacher(record.views.tensors[j]).projection for teacher in present])
        rows = F.normalize(record.student[i].row, dim=1)
        targets, importance = self.transformer(taught.to(rows.dtype))
        record.kept["tkc_importance"] = importance.detach()
        everyone = gather(targets.transpose(0, 1)).transpose(0, 1)
        losses = temporal_nce(rows, everyone, self.temperature, rank() * len(rows))
        return weighted(losses, importance, self.bonus)

    def calendar(self, progress: Progress) -> tuple[int, int]:
        """Steps between two snapshots, and the step before which the first one is taken."""
        epochs = self.interval or max(1.0, progress.epochs / 10)
        every = max(round(epochs * progress.steps / progress.epochs), 1)
        return every, max(math.ceil(EARLY * progress.steps / every), 1) * every

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Entropy of the teachers' importances as a share of its most, where there are several teachers."""
        importance = record.kept.get("tkc_importance")
        if importance is None or len(importance) < 2:
            return {}
        return {"tkc_entropy": -(importance.exp() * importance).sum(0).mean() / math.log(len(importance))}

    def finish(self, record: Pass) -> None:
        every, first = self.calendar(record.progress)
        done = record.progress.step + 1
        if done >= first and done % every == 0 and done < record.progress.steps:
            self.snapshots.take(self.source[0], (done - first) // every)

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("tkc_entropy", 1.0) >= 0.2:
            return []
        return ["tkc listens to one of its teachers alone; a larger --method.bonus spreads the importances."]

    def notes(self, method: JointEmbedding, situation: Situation) -> list[str]:
        notes = []
        if situation.batch_size < 64:
            notes.append(f"tkc tells images of a batch apart; {situation.batch_size} are few, 64 and more are advised.")
        per_epoch = max(situation.count // situation.batch_size, 1)
        epochs = -(-situation.steps // per_epoch)
        _, first = self.calendar(Progress(0, situation.steps, 0, epochs))
        if first >= situation.steps:
            notes.append(f"tkc takes its first snapshot after {first:,} steps, and this run ends before.")
        return notes
