"""Segmentation counted once over a whole test set: one confusion matrix, intersection over union by class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Confusion:
    """Pixels of each true class (row) answered by each class (column): int64 (C, C), over a whole test set."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, answers: Tensor, truth: Tensor) -> None:
        """Pictures or parts of them, of one shape; pixels whose truth is negative (to be ignored) do not count."""
        classes = len(self.counts)
        known = truth >= 0
        cells = truth[known].to(torch.int64) * classes + answers[known].to(torch.int64)
        self.counts += torch.bincount(cells, minlength=classes * classes).reshape(classes, classes).numpy()

    def by_class(self) -> np.ndarray:
        """Intersection over union, float64 (C,); nan for a class without a true pixel, which is in no mean."""
        right, true, answered = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        union = np.maximum(true + answered - right, 1)
        return np.where(true > 0, right / union, np.nan)

    def mean(self) -> float:
        """mIoU: over the classes with true pixels anywhere in the test set; nan where there is none."""
        found = self.by_class()
        return float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")

    def accuracy(self) -> float:
        """Share of the pixels answered rightly; nan where none counts."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")

    def absent(self) -> dict[int, int]:
        """The classes without a true pixel, and how many pixels were answered as each of them all the same."""
        return {int(c): int(self.counts[:, c].sum()) for c in np.flatnonzero(self.counts.sum(1) == 0)}
