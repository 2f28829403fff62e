"""What a detector finds, and average precision as VOC 2007 counts it: 11 points, at 10 IoUs as detectron2 does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torchvision.ops import box_iou

from twofold.images.labels.records import Instances

IOUS = np.arange(50, 100, 5) / 100
RECALLS = np.arange(0.0, 1.1, 0.1)  # as in the official code, where the fourth is a rounding error above 0.3


@dataclass(frozen=True)
class Detections:
    """What was found on one picture, in its own pixels.

    boxes: float32 (n, 4), left, top, right, bottom. classes: int64 (n,). scores: float32 (n,). masks: run lengths as
    the COCO tools write them, one a detection, or None where only boxes are found.
    """

    boxes: Tensor
    classes: Tensor
    scores: Tensor
    masks: list[Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Precision:
    """Average precision by class and IoU: float64 (C, 10); nan for a class that has nothing to be found in the test
    set, which is in no mean."""

    by_class: np.ndarray

    def mean(self, iou: float | None = None) -> float:
        """Over the classes that occur, at one IoU or over all ten (then called "AP"); nan where none occurs."""
        chosen = self.by_class if iou is None else self.by_class[:, [int(np.abs(IOUS - iou).argmin())]]
        return mean_of(chosen.mean(1))

    def named(self, prefix: str) -> dict[str, float]:
        """{"prefix-AP", "prefix-AP50", "prefix-AP75"}."""
        found = {"AP": self.mean(), "AP50": self.mean(0.5), "AP75": self.mean(0.75)}
        return {f"{prefix}-{name}": value for name, value in found.items()}


def mean_of(values: np.ndarray) -> float:
    """The mean of those that are no nan; nan where all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


class VocScore:
    """Takes in truth and detections picture by picture; `result` is the same in any order of the pictures.

    As in VOC: an object that is "difficult" is neither to be found nor false when found (a crowd is treated alike); of
    several detections whose best overlap is with one object the most certain counts and the others are false; an
    overlap counts from above the IoU on. Detections of equal certainty, whose order is nobody's, enter the curve
    together. Scores and boxes are not rounded, as they are in the text files that detectron2 writes.
    """

    def __init__(self, classes: int) -> None:
        self.positives = np.zeros(classes, dtype=np.int64)
        self.objects = 0
        self.rows: list[list[np.ndarray]] = [[] for _ in range(classes)]

    def add(self, truth: Instances, found: Detections) -> None:
        """One picture."""
        optional = truth.difficult | truth.crowd
        for c in np.union1d(truth.classes.numpy(), found.classes.numpy()).tolist():
            own = (truth.classes == c).nonzero()[:, 0]
            self.positives[c] += int((~optional[own]).sum())
            mine = (found.classes == c).nonzero()[:, 0]
            mine = mine[found.scores[mine].argsort(descending=True, stable=True)]
            row = np.zeros((len(mine), 4))  # score, best IoU, number of that object, whether it is optional
            row[:, 0], row[:, 2] = found.scores[mine].double().numpy(), -1
            if len(own) and len(mine):
                best, which = box_iou(found.boxes[mine].double(), truth.boxes[own].double()).max(1)
                row[:, 1], row[:, 2] = best.numpy(), (self.objects + own[which]).numpy()
                row[:, 3] = optional[own[which]].numpy()
            self.rows[c].append(row)
        self.objects += len(truth)

    def result(self) -> Precision:
        """The average precisions."""
        pairs = zip(self.rows, self.positives.tolist(), strict=True)
        return Precision(np.stack([_curve(np.concatenate([np.zeros((0, 4)), *rows]), n) for rows, n in pairs]))


def _curve(rows: np.ndarray, positives: int) -> np.ndarray:
    """The average precision of a class at each IoU: float64 (10,)."""
    if positives == 0:
        return np.full(len(IOUS), np.nan)
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    ends = np.append(rows[1:, 0] != rows[:-1, 0], True)[: len(rows)]
    return np.array([_at(rows, ends, positives, iou) for iou in IOUS])


def _at(rows: np.ndarray, ends: np.ndarray, positives: int, iou: float) -> float:
    hits = np.flatnonzero((rows[:, 1] > iou) & (rows[:, 3] == 0))
    _, first = np.unique(rows[hits, 2], return_index=True)
    right = np.zeros(len(rows), dtype=bool)
    right[hits[first]] = True
    wrong = ~right & ~((rows[:, 1] > iou) & (rows[:, 3] == 1))
    rights, wrongs = (np.cumsum(part)[ends].astype(float) for part in (right, wrong))
    precision, recall = rights / np.maximum(rights + wrongs, np.finfo(float).eps), rights / positives
    reached = recall[None] >= RECALLS[:, None]
    return float(np.where(reached, precision[None], 0.0).max(1, initial=0.0).mean())
