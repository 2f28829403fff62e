"""Regression onto a target, without negatives: the losses of SimSiam, BYOL and W-MSE."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    """-cos(p, z) of each row (Chen & He, CVPR 2021, equation 1). (B, D), (B, D) -> (B,) in [-1, 1]."""
    return -(F.normalize(predictions, dim=1) * F.normalize(targets, dim=1)).sum(1)


def normalised_squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """||N(p) - N(z)||^2 = 2 - 2 cos(p, z) of each row (Grill et al., NeurIPS 2020, equation 2). -> (B,) in [0, 4]."""
    return 2 + 2 * negative_cosine(predictions, targets)


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """The squared difference of each row, averaged over its entries. (B, D), (B, D) -> (B,)."""
    return (predictions - targets).square().mean(1)
