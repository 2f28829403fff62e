"""W-MSE: Whitening for Self-Supervised Representation Learning (Ermolov et al., ICML 2021, 2007.06346)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1, repeated
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.features import features_of, width_of
from twofold.nets.heads import mlp
from twofold.objectives.decorrelation import whiten_in_groups
from twofold.objectives.regression import normalised_squared_error, squared_error
from twofold.processes import gather, rank, world
from twofold.seam import Situation


class WMSE(JointEmbedding):
    """All views of an image are pulled together after whitening, which keeps them from collapsing; no negatives.

    Args:
        views: Views of each image, all pairs of which are compared (paper: 2 and 4).
        dim: Width D of the projection.
        hidden: Width inside the projector.
        whiten_size: Rows that are whitened together: 2 D by the paper's rule, more than D, and a divisor of the batch.
        repeats: Random cuts of the batch into groups that the loss is averaged over.
        epsilon: Share of the identity that is mixed into each covariance.
        normalise: Whether directions are compared (2 - 2 cos) rather than the rows themselves (the paper's Euclidean
            variant).
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        views: int = 2,
        dim: int = 64,
        hidden: int = 1024,
        whiten_size: int = 128,
        repeats: int = 1,
        epsilon: float = 0.0,
        normalise: bool = True,
        additions: Sequence[Addition] = (),
    ) -> None:
        repeated(repeats=repeats, pairs_of_views=views**2)
        above_zero(dim=dim, hidden=hidden, repeats=repeats)
        between_0_and_1(epsilon=epsilon)
        if views < 2:
            raise UserError(f"W-MSE compares at least 2 views of an image, not {views}.")
        if whiten_size <= dim:
            raise UserError(
                f"W-MSE cannot whiten {dim} dimensions with {whiten_size} rows: whiten_size must be more than dim, "
                f"and 2 x dim = {2 * dim} by the paper's rule."
            )
        super().__init__(Branch(backbone, mlp([width_of(backbone), hidden, dim])), additions)
        self.directions = tuple(itertools.combinations(range(views), 2))
        self.size, self.repeats, self.epsilon, self.normalise = whiten_size, repeats, epsilon, normalise
        self.dim = dim
        self.join_additions()

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        features = [features_of(self.backbone(images)) for images in shown[: self.compared_views]]
        projections = self.student.projector(torch.cat([f.pooled for f in features])).chunk(len(features))
        return {i: Look(f.map, f.pooled, z) for i, (f, z) in enumerate(zip(features, projections, strict=True))}

    def base_loss(self, record: Pass) -> Tensor:
        record.kept["orders"] = self.draw_orders(record)
        white = {i: self.whiten(record, look.row) for i, look in record.student.items()}
        return self.combine([self.distance(white[i], white[j]).mean() for i, j in record.directions])

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        return self.distance(self.whiten(record, student_rows), self.whiten(record, teacher_rows))

    def draw_orders(self, record: Pass) -> Tensor:
        """Orders of the global batch to cut into groups, int64 (repeats, N), the same in every process."""
        total = len(record.views.index) * world()
        self.check_batch(total)
        drawn = record.progress.generator("whitening")
        orders = [torch.randperm(total, generator=drawn) for _ in range(self.repeats)]
        return torch.stack(orders).to(record.views.index.device)

    def whiten(self, record: Pass, rows: Tensor) -> Tensor:
        """Rows (B, D) of one view, whitened in groups of the global batch: (repeats, B, D)."""
        whitened, used = whiten_in_groups(gather(rows), record.kept["orders"], self.size, self.epsilon)
        record.kept["epsilon"] = torch.maximum(record.kept.get("epsilon", used), used)
        return whitened[:, rank() * len(rows) :][:, : len(rows)]

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """The squared distance of each image's whitened rows, averaged over the repeats: (repeats, B, D) -> (B,)."""
        measure = normalised_squared_error if self.normalise else squared_error
        pairs = measure(first.flatten(0, 1), second.flatten(0, 1))
        return pairs.unflatten(0, (self.repeats, -1)).mean(0)

    def combine(self, losses: list[Tensor]) -> Tensor:
        return torch.stack(losses).mean()

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """The largest share of the identity that a covariance needed, above `epsilon` where its Cholesky failed."""
        return {"whitening_epsilon": record.kept["epsilon"]}

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        alarms = []
        if row.get("whitening_epsilon", 0.0) > self.epsilon * 1.001:
            alarms.append(
                "The embeddings had nearly no spread in some directions: Cholesky failed, and the covariance was "
                "mixed with up to 0.1 % of the identity (see whitening_epsilon); a lower learning rate or a smaller "
                "dim helps."
            )
        return alarms + super().alarms(row)

    def check_batch(self, batch: int) -> None:
        """Refuse a batch that cannot be cut into groups."""
        if batch % self.size:
            raise UserError(
                f"W-MSE whitens groups of {self.size} images and a batch of {batch} is no multiple of that: give a "
                f"batch of {max(batch // self.size, 1) * self.size}, or a whiten_size that divides it (the rule is "
                f"whiten_size = 2 x dim = {2 * self.dim})."
            )

    def check(self, situation: Situation) -> None:
        self.check_batch(situation.batch_size)
        super().check(situation)

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        """At most half as many dimensions as a batch has images; the smallest fitting group of at least 2 x dim."""
        batch = situation.batch_size
        dim = max(min(settings["dim"], batch // 2), 1)
        fitting = [size for size in range(2 * dim, batch + 1) if batch % size == 0]
        published = settings["whiten_size"]
        return {"dim": dim, "whiten_size": published if published in fitting else fitting[0]}

    def notes(self, situation: Situation) -> list[str]:
        notes = []
        if self.size < 2 * self.dim:
            rule = f"the paper's rule, 2 x dim = {2 * self.dim}"
            notes.append(f"Groups of {self.size} images for {self.dim} dimensions are below {rule}.")
        if self.dim < 64:
            notes.append(
                f"W-MSE works in {self.dim} dimensions here; the published 64 take batches of 128 images and more."
            )
        return notes + super().notes(situation)
