"""Segmentation counted once over a whole test set: one confusion matrix, intersection over union by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.labels.records import IGNORE


@dataclass(frozen=True)
class SegmentationScores:
    """miou: mean of the IoU over the classes with true pixels anywhere in the set, 0 to 1. per_class: by name, None
    where a class has no true pixel, and is in no mean. pixel_accuracy: share of the pixels, 0 to 1. absent: the classes
    without a true pixel. predicted_absent: pixels that were taken for one of those."""

    miou: float
    per_class: dict[str, float | None]
    pixel_accuracy: float
    absent: tuple[str, ...]
    predicted_absent: int


class Confusion:
    """counts: int64 (C, C), pixels by true class (rows) and answered class (columns), ignored ones left out."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.counts = torch.zeros(len(classes), len(classes), dtype=torch.int64)

    def add(self, truth: Tensor, predicted: Tensor) -> None:
        """Two masks of one shape; `truth` may have IGNORE."""
        known, count = truth != IGNORE, len(self.classes)
        cells = truth[known].long() * count + predicted[known].long()
        self.counts += cells.bincount(minlength=count * count).view(count, count)

    def scores(self) -> SegmentationScores:
        """All that is said of the matrix. A set without a true pixel scores 0."""
        counts = self.counts.double()
        right, true, answered = counts.diagonal(), counts.sum(1), counts.sum(0)
        iou, present = right / (true + answered - right).clamp(min=1), true > 0
        named = list(zip(self.classes, iou.tolist(), present.tolist(), strict=True))
        return SegmentationScores(
            miou=iou[present].mean().item() if bool(present.any()) else 0.0,
            per_class={name: value if here else None for name, value, here in named},
            pixel_accuracy=(right.sum() / true.sum().clamp(min=1)).item(),
            absent=tuple(name for name, _, here in named if not here),
            predicted_absent=int(answered[~present].sum()),
        )
