"""Redundancy reduction: the cross-correlation of two views (Barlow Twins, Zbontar et al., ICML 2021, 2103.03230)."""

from __future__ import annotations

import torch
from torch import Tensor


def standardise(rows: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Rows (N, D) with the mean of each dimension over the batch taken away and its deviation made 1.

    What batch norm without scale and offset does: the biased variance, epsilon added to it.
    """
    centred = rows - rows.mean(0)
    return centred * (centred.square().mean(0) + epsilon).rsqrt()


def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """C of equation 2, (D, D): how dimension i of the first view goes with dimension j of the second, -1 to 1.

    first, second: (N, D), two views of the same N images, the whole batch over which the statistics are.
    """
    return standardise(first).T @ standardise(second) / len(first)


def apart_from_identity(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """The two sums of equation 1, scalars: of (1 - C_ii)^2, and of C_ij^2 where i and j differ."""
    own = correlation.diagonal()
    others = correlation - torch.diag(own)
    return (1 - own).square().sum(), others.square().sum()
