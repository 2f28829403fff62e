"""Synthetic hard negatives: mixtures of unit vectors (MoCHi, Kalantidis et al., NeurIPS 2020, equations 4 to 6)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def mix_rows(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """N(weight * first + (1 - weight) * second). first: (B, S or 1, D); second: (B, S, D); weight: (B, S)."""
    weight = weight.to(second.dtype)[:, :, None]
    return F.normalize(weight * first + (1 - weight) * second, dim=2)


def uniformity(rows: Tensor) -> Tensor:
    """log of the mean over pairs of exp(-2 ||z - z'||^2) of unit rows (B, D): lower is more uniform.

    Wang & Isola, ICML 2020, equation 2; -4 for vectors at right angles, 0 where all coincide.
    """
    pairs = len(rows) * (len(rows) - 1)
    near = (4 * (rows @ rows.T) - 4).exp()
    return ((near.sum() - near.diagonal().sum()) / pairs).log()
