"""Segmentation in numbers: one confusion matrix over a whole set, at the masks' own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.labels.records import IGNORE, Labelled


@dataclass(frozen=True)
class SegmentationScores:
    """miou: mean of the IoU over the classes that have true pixels in the whole set, 0..1. per_class: the IoU of each
    class by name, None where it has no true pixel. pixel_accuracy: share of the pixels, 0..1. absent: the classes
    without a true pixel. predicted_absent: pixels that were taken for one of those. pixels: that were asked about.
    """

    miou: float
    per_class: dict[str, float | None]
    pixel_accuracy: float
    absent: tuple[str, ...]
    predicted_absent: int
    pixels: int


class Confusion:
    """counts: int64 (C, C), pixels by true class (rows) and predicted class (columns), ignored ones left out."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.counts = torch.zeros(len(classes), len(classes), dtype=torch.int64)

    def add(self, truth: Tensor, predicted: Tensor) -> None:
        """Two masks of one shape; `truth` may have IGNORE."""
        if truth.shape != predicted.shape:
            raise ValueError(f"The mask is {tuple(truth.shape)} and the prediction {tuple(predicted.shape)}.")
        self.counts += pair_counts(truth.to(predicted.device), predicted, len(self.classes)).cpu()

    def scores(self) -> SegmentationScores:
        """Everything that is said of the matrix. A set without a true pixel scores 0."""
        counts = self.counts.double()
        right, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        iou = right / (true + predicted - right).clamp(min=1)
        present = true > 0
        absent = [name for name, here in zip(self.classes, present.tolist(), strict=True) if not here]
        return SegmentationScores(
            miou=iou[present].mean().item() if present.any() else 0.0,
            per_class={
                name: value if here else None
                for name, value, here in zip(self.classes, iou.tolist(), present.tolist(), strict=True)
            },
            pixel_accuracy=(right.sum() / true.sum().clamp(min=1)).item(),
            absent=tuple(absent),
            predicted_absent=int(predicted[~present].sum().item()),
            pixels=int(true.sum().item()),
        )


def pair_counts(truth: Tensor, predicted: Tensor, classes: int, others: int | None = None) -> Tensor:
    """int64 (classes, others): how often true class r and predicted class (or cluster) c meet; IGNORE left out."""
    others = classes if others is None else others
    truth, predicted = truth.flatten().long(), predicted.flatten().long()
    asked = truth != IGNORE
    pairs = truth[asked] * others + predicted[asked]
    return pairs.bincount(minlength=classes * others).view(classes, others)


def majority_scores(train: Labelled, test: Labelled) -> SegmentationScores:
    """What the most frequent class of the training pixels scores as the answer for every test pixel."""
    classes = len(train.classes)
    counts = torch.zeros(classes, dtype=torch.int64)
    for i in range(len(train)):
        mask = train.mask(i)
        counts += mask[mask != IGNORE].long().bincount(minlength=classes)
    matrix, answer = Confusion(train.classes), int(counts.argmax())
    for i in range(len(test)):
        mask = test.mask(i)
        matrix.add(mask, torch.full_like(mask, answer))
    return matrix.scores()
