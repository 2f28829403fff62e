"""Consistency of similarity distributions: the regulariser of CO2 (Wei et al., arXiv 2010.02217, equations 4 to 6)."""

from __future__ import annotations

import torch
from torch import Tensor


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Half KL(first || second) plus half KL(second || first) of each row, from log-probabilities (B, K) -> (B,)."""
    return ((first.exp() - second.exp()) * (first - second)).sum(1) / 2


def similarity_distribution(
    rows: Tensor, negatives: Tensor, temperature: float, positive: Tensor | None = None, own: Tensor | None = None
) -> Tensor:
    """Log-probabilities of the softmax over the similarities of each row to the negatives.

    rows: (B, D) and negatives: (K, D), unit. own: (B,) the column of each row that is not one of its negatives (left
    out). positive: (B,) a similarity put before the others, where the positive is an entry too. -> (B, K [- 1] [+ 1]).
    """
    logits = rows @ negatives.T
    if own is not None:
        keep = torch.ones_like(logits, dtype=torch.bool).scatter(1, own[:, None], False)
        logits = logits[keep].view(len(rows), -1)
    if positive is not None:
        logits = torch.cat([positive[:, None], logits], dim=1)
    return (logits / temperature).log_softmax(1)
