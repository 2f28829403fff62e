"""MixSiam: A Mixture-based Approach to Self-supervised Representation Learning (Guo et al., 2111.02679).

A reconstruction: no code was released, and the paper's text leaves choices open; each is a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.mixing import beta, blend, paste, region
from twofold.methods.record import Branch, Pass
from twofold.processes import total, world
from twofold.randomness import uniforms
from twofold.seam import Term


class MixSiam(Addition):
    """An addition to SimSiam, reconstructed: a mixture of an image's two views predicts the maximum of their features.

    Args:
        weight: Weight of the term.
        max_on: What the element-wise maximum is taken of: the projections before normalisation ("projection") or after
            it ("after_norm"), or the pooled features, projected afterwards ("backbone").
        stop_gradient: Whether the gradient through the target is stopped.
        mixture: How views are mixed: "mixup" blends them, "cutmix" pastes a region of the second into the first.
        alpha: Parameter of Beta(alpha, alpha), from which the share of the first view is drawn, one an image.
        ratio: Share of the first view as a fixed number; drawn where None.
        statistics: Batch statistics of the mixtures: their "own", in a pass by themselves, or "shared" in one pass with
            both views.
        center_target: Whether the batch mean is subtracted from the target.
    """

    runs_network = True

    def __init__(
        self,
        *,
        weight: float = 1.0,
        max_on: Literal["projection", "after_norm", "backbone"] = "projection",
        stop_gradient: bool = True,
        mixture: Literal["mixup", "cutmix"] = "mixup",
        alpha: float = 1.0,
        ratio: float | None = None,
        statistics: Literal["own", "shared"] = "own",
        center_target: bool = False,
    ) -> None:
        super().__init__()
        above_zero(weight=weight, alpha=alpha)
        between_0_and_1(ratio=0.5 if ratio is None else ratio)
        self.weight, self.max_on, self.stop_gradient = weight, max_on, stop_gradient
        self.mixture, self.alpha, self.ratio = mixture, alpha, ratio
        self.statistics, self.center_target = statistics, center_target

    def join(self, method: JointEmbedding) -> None:
        name = type(method).__name__
        if method.student.predictor is None:
            raise UserError(f"mixsiam's mixture predicts its target, and {name} has no predictor; use simsiam+mixsiam.")
        if method.momentum_teacher and not self.stop_gradient:
            raise UserError(f"{name}'s targets carry no gradient: leave stop_gradient on.")
        branch = cast(Branch, method.teacher if method.momentum_teacher else method.student)
        self.projectors = [branch.projector]  # in a list, so that its weights are not taken for this module's own

    def terms(self, record: Pass) -> dict[str, Term]:
        mixed = self.mix(record.shown[0], record.shown[1], record)
        if self.statistics == "shared":
            row = record.look(torch.cat([mixed, *record.shown[:2]])).row[: len(mixed)]
        else:
            row = record.look(mixed).row
        aim = self.maximum(record)
        middle = self.mean(aim)
        record.kept |= {"mixsiam_row": row, "mixsiam_middle": middle}
        aim = aim - middle if self.center_target else aim
        return {"mixsiam": Term(self.weight, record.compare(row, aim).mean())}

    def mix(self, first: Tensor, second: Tensor, record: Pass) -> Tensor:
        """The mixtures (B, C, H, W) of two views; draws are functions of (seed, step, image)."""
        progress = record.progress
        drawn = uniforms(record.views.index, 3, progress.seed, "mixsiam", progress.step)
        ratio = beta(drawn[:, 0], self.alpha) if self.ratio is None else torch.full_like(drawn[:, 0], self.ratio)
        if self.mixture == "mixup":
            return blend(first, second, ratio)
        sides = torch.tensor(first.shape[-2:], device=drawn.device)
        return paste(first, second, region(first.shape[-2:], ratio, (drawn[:, 1:] * sides).long()))

    def maximum(self, record: Pass) -> Tensor:
        """The target rows (B, D): the larger of both views' values, channel by channel."""
        looks = [record.teacher[view] if self.stop_gradient else record.student[view] for view in (0, 1)]
        if self.max_on == "backbone":
            with torch.set_grad_enabled(not self.stop_gradient):
                (projector,) = self.projectors
                features = torch.maximum(looks[0].feature, looks[1].feature)
                rows = projector(features.to(next(projector.parameters()).dtype))
        else:
            first, second = (look.projection for look in looks)
            if self.max_on == "after_norm":
                first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
            rows = torch.maximum(first, second)
        return rows if rows.dtype == torch.float64 else rows.float()

    @staticmethod
    def mean(rows: Tensor) -> Tensor:
        """The mean row (1, D) of the global batch."""
        return total(rows.sum(0, keepdim=True)) / (len(rows) * world())

    @torch.no_grad()
    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Cosine of predictions to the mean target: near 1 they guess one direction for every image."""
        row, middle = record.kept["mixsiam_row"], record.kept["mixsiam_middle"]
        return {"mixsiam_constant": F.cosine_similarity(row, middle, dim=1).mean()}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("mixsiam_constant", 0.0) <= 0.9:
            return []
        return ["Mixtures predict nearly the same direction for every image; try --method.center_target true."]
