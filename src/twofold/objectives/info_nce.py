"""InfoNCE against stored negatives: the contrastive loss of MoCo (He et al., CVPR 2020, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float, extra: Tensor | None = None
) -> Tensor:
    """Each query picks its key among the negatives.

    queries, keys: (B, D) unit rows. negatives: (K, D), shared by all rows. extra: (B, S, D), further negatives of each
    row. Returns (B,): -log of the softmax share of the positive among 1 + K (+ S) similarities over the temperature.
    """
    positive = (queries * keys).sum(1) / temperature
    against = queries @ negatives.T / temperature
    if extra is not None:
        own = torch.einsum("bd,bsd->bs", queries, extra) / temperature
        against = torch.cat([against, own], dim=1)
    return torch.logaddexp(against.logsumexp(1), positive) - positive
