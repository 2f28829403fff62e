"""Guesses of what a teacher assigns to prototypes or outputs: the codes of SwAV, the targets of DINO."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Soft codes (N, K) of N images, all K prototypes being used alike (SwAV, equations 3 to 5: Sinkhorn-Knopp).

    scores: (N, K), cosines of the images and the prototypes, those of the whole batch. epsilon: how soft; small is
    hard. Each iteration scales the prototypes' columns to equal sums, then the images' rows to 1. No gradient.
    """
    codes = ((scores - 1) / epsilon).exp()
    for _ in range(iterations):
        codes = codes / (codes.sum(0) * scores.shape[1])
        codes = codes / codes.sum(1, keepdim=True)
    return codes


def cosines(rows: Tensor, weight: Tensor) -> Tensor:
    """What a last layer without lengths makes of rows: their cosines with its rows. (B, D), (K, D) -> (B, K)."""
    return F.linear(F.normalize(rows, dim=1), F.normalize(weight, dim=1))


def sharpened(logits: Tensor, center: Tensor, temperature: float) -> Tensor:
    """What a DINO teacher says, the softmax of (logits - center) / temperature: (B, K), (K,) -> (B, K)."""
    return ((logits - center) / temperature).softmax(1)


def cross_entropy(targets: Tensor, log_probabilities: Tensor) -> Tensor:
    """H(target, guess) = -sum_k target_k log guess_k of each row. (B, K), (B, K) -> (B,)."""
    return -(targets * log_probabilities).sum(1)


def entropy(targets: Tensor) -> Tensor:
    """Of each row of probabilities (B, K), (B,): 0 where one of them is 1, log K where all are alike."""
    return -targets.xlogy(targets).sum(1)
