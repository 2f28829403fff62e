"""The linear protocol on clips: features standardised without learned scale, one layer, the mean over a video's
clips."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from twofold.evaluation.accuracy import accuracies
from twofold.evaluation.linear import fitted_layer


def linear_on_clips(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    seed: int,
    average: Literal["softmax", "logits"] = "softmax",
) -> dict[str, float]:
    """{"top1", "top5"} of videos, 0..1: train, test float32 (n, clips, D), labels int64 (n,).

    The layer learns from every clip (`evaluation.linear.linear_probe`'s optimizer); each feature is brought to mean 0
    and deviation 1 of the clips learned from, like batch norm without affine in evaluation mode.
    """
    mean, std = train.flatten(0, 1).mean(0), train.flatten(0, 1).std(0, correction=0)
    rows = ((train - mean) / std.clamp_min(1e-5)).flatten(0, 1)
    layer = fitted_layer(rows, train_labels.repeat_interleave(train.shape[1]), classes, seed)
    return accuracies(scores_of(layer, (test - mean) / std.clamp_min(1e-5), average), test_labels)


@torch.no_grad()
def scores_of(layer: nn.Linear, features: Tensor, average: Literal["softmax", "logits"]) -> Tensor:
    """Scores of videos (n, classes): the mean over clips of the answers to features (n, clips, D)."""
    answers = layer(features)
    return (answers.softmax(2) if average == "softmax" else answers).mean(1)
