"""Whitening inside sub-batches: the core of W-MSE (Ermolov et al., ICML 2021, 2007.06346, equations 3 to 5)."""

from __future__ import annotations

import torch
from torch import Tensor

RETRIES = (1e-6, 1e-5, 1e-4, 1e-3)


def whiten(rows: Tensor, epsilon: float = 0.0) -> tuple[Tensor, Tensor]:
    """Rows (..., w, D) with the mean of each group of w taken away and their covariance turned into the identity.

    The covariance is the unbiased one, mixed with the identity, (1 - epsilon) C + epsilon I = L L^T, and the rows
    become L^-1 (x - mean); gradient flows through all of it. Where a group has no Cholesky factor, all are mixed with
    the next of 1e-6, 1e-5, 1e-4 and 1e-3. Returns the whitened rows and the epsilon used, a float32 scalar; rows that
    are not finite, or that no epsilon helps, come back as NaN. Needs w > D.
    """
    centred = rows - rows.mean(-2, keepdim=True)
    covariance = centred.mT @ centred / (rows.shape[-2] - 1)
    identity = torch.eye(rows.shape[-1], dtype=rows.dtype, device=rows.device)
    for used in (epsilon, *(retry for retry in RETRIES if retry > epsilon)):
        factor, failed = torch.linalg.cholesky_ex((1 - used) * covariance + used * identity)
        if not failed.any():
            whitened = torch.linalg.solve_triangular(factor, centred.mT, upper=False).mT
            return whitened, torch.tensor(used, device=rows.device)
    return rows * torch.nan, torch.tensor(used, device=rows.device)


def whiten_in_groups(rows: Tensor, orders: Tensor, size: int, epsilon: float = 0.0) -> tuple[Tensor, Tensor]:
    """Each row (N, D) whitened among the `size` rows that share its group, once for each of n orders.

    orders: int64 (n, N), permutations of the rows, each cut into consecutive groups. Returns (n, N, D), the rows being
    in their own places again, and the largest epsilon used; see `whiten`.
    """
    grouped = rows[orders].unflatten(1, (-1, size))
    whitened, used = whiten(grouped, epsilon)
    places = orders.argsort(1)[:, :, None].expand(-1, -1, rows.shape[1])
    return whitened.flatten(1, 2).gather(1, places), used
