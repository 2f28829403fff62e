"""InfoNCE against stored negatives, the loss of MoCo (He et al., CVPR 2020, equation 1), or against the batch (v3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


def info_nce_in_batch(
    queries: Tensor, keys: Tensor, temperature: float, offset: int = 0, extra: Tensor | None = None
) -> Tensor:
    """Each query picks its key among the keys of the whole batch (Chen et al., ICCV 2021, equation 1).

    queries: (B, D) unit rows. keys: (N, D), of all N >= B images of the step; the queries' own are offset..offset+B-1.
    extra: (B, S, D), further negatives of each row. Returns (B,): -log of the softmax share of the own key among the
    N (+ S) similarities over the temperature.
    """
    logits = queries @ keys.T
    if extra is not None:
        logits = torch.cat([logits, torch.einsum("bd,bsd->bs", queries, extra)], dim=1)
    own = torch.arange(len(queries), device=queries.device) + offset
    return F.cross_entropy(logits / temperature, own, reduction="none")
