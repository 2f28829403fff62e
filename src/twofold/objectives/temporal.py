"""The temporal loss of TKC (Feng et al., ICCV 2021, 2108.10668; a reconstruction): students agree with old teachers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def temporal_nce(rows: Tensor, targets: Tensor, temperature: float, offset: int = 0) -> Tensor:
    """Each row picks its own image among what each teacher says of the batch.

    rows: (B, D) unit. targets: (n, N, D) unit, of all N images of the step; the rows' own are offset..offset+B-1.
    Returns (n, B): -log of the softmax share of the own target over the temperature.
    """
    logits = torch.einsum("bd,nkd->nbk", rows, targets) / temperature
    own = torch.arange(len(rows), device=rows.device) + offset
    return F.cross_entropy(logits.flatten(0, 1), own.repeat(len(targets)), reduction="none").view(len(targets), -1)


def weighted(losses: Tensor, log_importance: Tensor, bonus: float) -> Tensor:
    """Losses (n, B) weighted by importances, which sum to 1 over teachers, less bonus times their entropy. -> (B,)."""
    importance = log_importance.exp()
    return (importance * losses).sum(0) + bonus * (importance * log_importance).sum(0)
