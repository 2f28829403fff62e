"""Variance and covariance of a batch: the regularisers of VICReg (Bardes et al., ICLR 2022, 2105.04906)."""

from __future__ import annotations

import torch
from torch import Tensor


def missing_deviation(rows: Tensor, wanted: float = 1.0, epsilon: float = 1e-4) -> Tensor:
    """How far the deviation of a dimension stays below what is wanted, on average (equations 1 and 2): a scalar.

    rows: (N, D), the whole batch. The deviation is the root of the unbiased variance plus epsilon.
    """
    return (wanted - (rows.var(0) + epsilon).sqrt()).relu().mean()


def shared_covariance(rows: Tensor) -> Tensor:
    """The squared covariances of different dimensions, summed, over the number of dimensions (equations 3 and 4).

    rows: (N, D), the whole batch; the covariance is the unbiased one. Returns a scalar.
    """
    centred = rows - rows.mean(0)
    covariance = centred.T @ centred / (len(rows) - 1)
    others = covariance - torch.diag(covariance.diagonal())
    return others.square().sum() / rows.shape[1]
