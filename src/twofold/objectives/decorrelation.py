"""What keeps dimensions apart without negatives: cross-correlation, variance and covariance, whitening."""

from __future__ import annotations

import torch
from torch import Tensor

RETRIES = (1e-6, 1e-5, 1e-4, 1e-3)  # of the identity, mixed into a covariance without a Cholesky factor


def standardise(rows: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Rows (N, D) with the mean of each dimension over the batch taken away and its deviation made 1.

    What batch norm without scale and offset does: the biased variance, epsilon added to it.
    """
    centred = rows - rows.mean(0)
    return centred * (centred.square().mean(0) + epsilon).rsqrt()


def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """C (D, D), how dimension i of the first view goes with dimension j of the second, -1 to 1.

    first, second: (N, D), two views of the same N images, the whole batch over which the statistics are (Barlow Twins,
    Zbontar et al., ICML 2021, equation 2).
    """
    return standardise(first).T @ standardise(second) / len(first)


def apart_from_identity(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """The two sums of equation 1, scalars: of (1 - C_ii)^2, and of C_ij^2 where i and j differ."""
    own = correlation.diagonal()
    others = correlation - torch.diag(own)
    return (1 - own).square().sum(), others.square().sum()


def missing_deviation(rows: Tensor, wanted: float = 1.0, epsilon: float = 1e-4) -> Tensor:
    """How far the deviation of a dimension stays below what is wanted, on average: a scalar.

    rows: (N, D), the whole batch. The deviation is the root of the unbiased variance plus epsilon (VICReg, Bardes et
    al., ICLR 2022, equations 1 and 2).
    """
    return (wanted - (rows.var(0) + epsilon).sqrt()).relu().mean()


def shared_covariance(rows: Tensor) -> Tensor:
    """The squared covariances of different dimensions, summed, over the number of dimensions: a scalar.

    rows: (N, D), the whole batch; the covariance is the unbiased one (VICReg, equations 3 and 4).
    """
    centred = rows - rows.mean(0)
    covariance = centred.T @ centred / (len(rows) - 1)
    others = covariance - torch.diag(covariance.diagonal())
    return others.square().sum() / rows.shape[1]


def whiten(rows: Tensor, epsilon: float = 0.0) -> tuple[Tensor, Tensor]:
    """Rows (..., w, D) with the mean of each group of w taken away and their covariance turned into the identity.

    The covariance is the unbiased one, mixed with the identity, (1 - epsilon) C + epsilon I = L L^T, and the rows
    become L^-1 (x - mean); gradient flows through all of it. Where a group has no Cholesky factor, all are mixed with
    the next of 1e-6, 1e-5, 1e-4 and 1e-3. Returns the whitened rows and the epsilon used, a float32 scalar; rows that
    are not finite, or that no epsilon helps, come back as NaN. Needs w > D (W-MSE, Ermolov et al., ICML 2021).
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
