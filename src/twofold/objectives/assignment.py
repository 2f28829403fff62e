"""Codes: images assigned to prototypes in equal parts, the core of SwAV (Caron et al., NeurIPS 2020, 2006.09882)."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Soft codes (N, K) of N images, all K prototypes being used alike (equations 3 to 5, Sinkhorn-Knopp).

    scores: (N, K), cosines of the images and the prototypes, those of the whole batch. epsilon: how soft; small is
    hard. Each iteration scales the prototypes' columns to equal sums, then the images' rows to 1. No gradient.
    """
    codes = ((scores - 1) / epsilon).exp()
    for _ in range(iterations):
        codes = codes / (codes.sum(0) * scores.shape[1])
        codes = codes / codes.sum(1, keepdim=True)
    return codes
