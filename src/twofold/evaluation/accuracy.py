"""Accuracy: of the first answer, of the first five, and as a mean over the classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

UNEQUAL = 1.5  # times the smallest class: with a larger one the plain accuracy may be that of one class
SCORES = 1 << 25  # of classes, held at a time (128 MB in float32)


def accuracies(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """{"top1": share, "top5": share, "balanced": share} (0..1) of scores (n, classes) against labels (n,).

    top5 only beyond 5 classes, balanced only where classes are unequal: see `first_answers`.
    """
    return _of_answers(_best(scores), labels, scores.shape[1])


@torch.no_grad()
def layer_accuracies(layer: nn.Linear, features: Tensor, labels: Tensor) -> dict[str, float]:
    """`accuracies` of a linear classifier on features (n, D), whose scores are made for some of them at a time."""
    classes = layer.out_features
    answers = [_best(layer(part)) for part in features.split(max(1, SCORES // classes))]
    return _of_answers(torch.cat(answers), labels, classes)


def first_answers(predicted: Tensor, labels: Tensor) -> dict[str, float]:
    """{"top1": share, "balanced": share} (0..1) of predicted (n,) against labels (n,).

    balanced: the mean of the shares of each class, only where the largest class has more than 1.5 times the labels of
    the smallest.
    """
    right = (predicted == labels).double()
    found = {"top1": right.mean().item()}
    _, place, counts = labels.unique(return_inverse=True, return_counts=True)
    if counts.max() > UNEQUAL * counts.min():
        sums = torch.zeros(len(counts), dtype=torch.float64, device=right.device).scatter_add_(0, place, right)
        found["balanced"] = (sums / counts).mean().item()
    return found


def majority_class(learned: Tensor, labels: Tensor, classes: int) -> dict[str, float]:
    """`accuracies` of answering every question by the sizes of the classes in `learned` (N,), the largest first.

    Of classes of one size the smaller number comes first.
    """
    counts = learned.bincount(minlength=classes).double() - torch.arange(classes, device=learned.device) / classes
    return _of_answers(_best(counts[None]).expand(len(labels), -1), labels.to(learned.device), classes)


def _best(scores: Tensor) -> Tensor:
    return scores.topk(min(5, scores.shape[1]), dim=1).indices


def _of_answers(answers: Tensor, labels: Tensor, classes: int) -> dict[str, float]:
    """The accuracies of up to five answers to each question, int64 (n, 5), the best first."""
    found = first_answers(answers[:, 0], labels)
    if classes > 5:
        found["top5"] = (answers == labels[:, None]).any(1).double().mean().item()
    return found
