"""DenseCL: Dense Contrastive Learning for Self-Supervised Visual Pre-Training (Wang et al., CVPR 2021, 2011.09157)."""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.errors import UserError, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.cells import DenseBranches, at, matches
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass
from twofold.objectives.contrastive import info_nce
from twofold.seam import Progress, Term


class DenseCL(Addition):
    """Each cell of the query's map picks, against a queue, the key cell that the backbone finds most similar to it.

    Args:
        weight: Weight lambda of the dense term; the base's own term gets 1 - lambda.
        warmup: Share of the run in which lambda is 0; needed where it is 1 afterwards.
        grid: Side S of the S x S cells to which maps are pooled; 0 for the map's own cells.
        hidden: Width inside the dense head; the map's where 0.
        feature_stage: Stage of a ResNet, 1 to 4, whose map gives the cells; the last map where 0. Stage 3 has four
            times the cells.
    """

    def __init__(
        self, *, weight: float = 0.5, warmup: float = 0.0, grid: int = 0, hidden: int = 0, feature_stage: int = 0
    ) -> None:
        super().__init__()
        between_0_and_1(weight=weight, warmup=warmup)
        if (least := min(grid, hidden, feature_stage)) < 0:
            raise UserError(f"densecl's grid, hidden and feature_stage count from 0, not {least}.")
        if weight == 1 and not warmup:
            raise UserError(
                "densecl does not learn from its dense term alone from the start: give a warmup, like 0.05."
            )
        self.weight, self.warmup, self.grid, self.hidden = weight, warmup, grid, hidden
        self.feature_stage = feature_stage

    def join(self, method: JointEmbedding) -> None:
        self.dense = DenseBranches(method, "densecl", self.grid, self.hidden, self.feature_stage)

    def weight_at(self, progress: Progress) -> float:
        """lambda at this moment."""
        return 0.0 if progress.fraction < self.warmup else self.weight

    def base_scale(self, progress: Progress) -> float:
        return 1 - self.weight_at(progress)

    def terms(self, record: Pass) -> dict[str, Term]:
        weight = self.weight_at(record.progress)
        # Without weight there is no gradient, not even one of zeros, and the step is the base's bit for bit.
        with torch.set_grad_enabled(weight > 0 and torch.is_grad_enabled()):
            losses = [self.direction(record, i, j) for i, j in record.directions]
        return {"densecl": Term(weight, record.combine(losses))}

    def direction(self, record: Pass, i: int, j: int) -> Tensor:
        """The mean loss of the cells of student view i, whose keys are those of teacher view j."""
        queries, keys = self.dense.student(record, i), self.dense.teacher(record, record.teacher[j])
        found = matches(queries.backbone, keys.backbone)
        record.kept[f"densecl_keys_{j}"] = keys.pooled
        record.kept["densecl_match"] = (queries.backbone * at(keys.backbone, found)).sum(2).mean()
        rows, positives = queries.dense.flatten(0, 1), at(keys.dense, found).flatten(0, 1)
        return info_nce(rows, positives, self.dense.negatives(rows), self.dense.temperature).mean()

    @torch.no_grad()
    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """densecl_match: cosine of the backbone's cells that were matched, on average."""
        return {"densecl_match": record.kept["densecl_match"]}

    def finish(self, record: Pass) -> None:
        for view in record.teacher:
            self.dense.enqueue(record.kept[f"densecl_keys_{view}"])
