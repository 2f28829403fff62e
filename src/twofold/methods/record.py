"""The record of a step of a joint-embedding method: what student and teacher made of each view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from twofold.nets.features import features_of
from twofold.seam import Progress, Views


def precise(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


@dataclass
class Look:
    """What a branch makes of one view: map (B, C, h, w) or None, feature (B, C), projection and prediction (B, D)."""

    map: Tensor | None
    feature: Tensor
    projection: Tensor
    prediction: Tensor | None = None

    @property
    def row(self) -> Tensor:
        """What is compared: the prediction where there is a predictor, else the projection; float32 at least."""
        return precise(self.projection if self.prediction is None else self.prediction)

    @property
    def tensors(self) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
        """Map, feature, projection and prediction."""
        return self.map, self.feature, self.projection, self.prediction

    def each(self, change: Callable[[Tensor], Tensor]) -> Look:
        """The same look with every tensor changed."""
        return Look(*[None if t is None else change(t) for t in self.tensors])  # type: ignore[arg-type]

    def as_target(self) -> Look:
        """The look as something to agree with: no prediction, no gradient."""
        return Look(self.map, self.feature, self.projection).each(Tensor.detach)


class Branch(nn.Module):
    """Backbone, projector and, for students that predict their teacher, a predictor.

    backbone: of ours, which gives `Features`, or any network: see `features_of`.
    """

    def __init__(self, backbone: nn.Module, projector: nn.Module, predictor: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.projector, self.predictor = backbone, projector, predictor

    def forward(self, view: Tensor) -> Look:
        features = features_of(self.backbone(view))
        projection = self.projector(features.pooled)
        prediction = None if self.predictor is None else self.predictor(projection)
        return Look(features.map, features.pooled, projection, prediction)


@dataclass
class Pass:
    """The record of one step.

    views: as made, with their geometry. shown: the tensors that the student saw. student, teacher: a look per view, for
    the views that this branch saw. negatives: (K, D) unit rows as they were before this step, or None where the rest of
    the batch serves. directions: pairs (student view, teacher view) that the base compares. look, teach: run student or
    teacher again. networks: the context in which other networks must run (losses are made outside autocast; networks
    are not). combine: the losses of several directions as one, by the base's rule (sum or mean). loss: what `compare`
    calls. comparisons: how often it was called so far. kept: what base and additions found on the way and need again in
    this step, by name.
    """

    views: Views
    shown: list[Tensor]
    student: dict[int, Look]
    teacher: dict[int, Look]
    negatives: Tensor | None
    directions: Sequence[tuple[int, int]]
    progress: Progress
    look: Callable[[Tensor], Look]
    teach: Callable[[Tensor], Look]
    networks: Callable[[], AbstractContextManager[Any]]
    combine: Callable[[list[Tensor]], Tensor]
    loss: Callable[[Pass, Tensor, Tensor], Tensor]
    comparisons: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)

    def compare(self, student_rows: Tensor, teacher_rows: Tensor) -> Tensor:
        """The base's own loss of each row, (B, D), (B, D) -> (B,), with all negatives in it."""
        losses = self.loss(self, student_rows, teacher_rows)
        self.comparisons += 1
        return losses
