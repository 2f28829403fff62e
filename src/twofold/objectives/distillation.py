"""Self-distillation: the loss of DINO (Caron et al., ICCV 2021, 2104.14294, equations 1 to 4)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def cosines(rows: Tensor, weight: Tensor) -> Tensor:
    """What a last layer without lengths makes of rows: their cosines with its rows. (B, D), (K, D) -> (B, K)."""
    return F.linear(F.normalize(rows, dim=1), F.normalize(weight, dim=1))


def sharpened(logits: Tensor, center: Tensor, temperature: float) -> Tensor:
    """What the teacher says: the softmax of (logits - center) / temperature. (B, K), (K,) -> probabilities (B, K)."""
    return ((logits - center) / temperature).softmax(1)


def cross_entropy(targets: Tensor, log_probabilities: Tensor) -> Tensor:
    """H(target, guess) = -sum_k target_k log guess_k of each row. (B, K), (B, K) -> (B,)."""
    return -(targets * log_probabilities).sum(1)


def entropy(targets: Tensor) -> Tensor:
    """Of each row of probabilities (B, K), (B,): 0 where one of them is 1, log K where all are alike."""
    return -targets.xlogy(targets).sum(1)
