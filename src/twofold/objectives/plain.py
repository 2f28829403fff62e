"""The same losses for a loop of one's own: two batches of rows in, one number out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero
from twofold.objectives import contrastive, decorrelation, regression
from twofold.processes import gather, rank


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5, *, gathered: bool = False) -> Tensor:
    """NT-Xent of two views of a batch, (B, D) each, by cosines (SimCLR, Chen et al., ICML 2020, equation 1).

    gathered: among the rows of all processes of torch.distributed, with gradient. Returns a scalar.
    """
    _pair(first, second)
    above_zero(temperature=temperature)
    one, other = F.normalize(first, dim=1), F.normalize(second, dim=1)
    every = torch.cat([gather(one), gather(other)] if gathered else [one, other])
    offset = rank() * len(one) if gathered else 0
    return contrastive.nt_xent(one, other, every, offset, temperature).mean()


def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor | None = None, temperature: float = 0.2, *, gathered: bool = False
) -> Tensor:
    """InfoNCE by cosines (van den Oord et al., 2018, equation 4): each query picks its key, (B, D) each.

    negatives: (K, D), such as a queue of MoCo's (He et al., CVPR 2020, equation 1); the other keys of the batch where
    None. gathered: those of all processes. Returns a scalar.
    """
    _pair(queries, keys)
    above_zero(temperature=temperature)
    if negatives is not None:
        asked, wanted, others = (F.normalize(part, dim=1) for part in (queries, keys, negatives))
        return contrastive.info_nce(asked, wanted, others, temperature).mean()
    every, offset = (gather(keys), rank() * len(keys)) if gathered else (keys, 0)
    return contrastive.pick(queries, every, offset, temperature)[0].mean()


def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    """-cos(p, z), averaged (SimSiam, Chen & He, CVPR 2021, equation 1). The targets get no gradient."""
    _pair(predictions, targets)
    return regression.negative_cosine(predictions, targets.detach()).mean()


def byol(predictions: Tensor, targets: Tensor) -> Tensor:
    """2 - 2 cos(p, z), averaged (BYOL, Grill et al., NeurIPS 2020, equation 2). The targets get no gradient."""
    _pair(predictions, targets)
    return regression.normalised_squared_error(predictions, targets.detach()).mean()


def barlow_twins(first: Tensor, second: Tensor, redundancy: float = 5e-3, *, gathered: bool = False) -> Tensor:
    """Σ (1 - C_ii)² + redundancy Σ C_ij² of the cross-correlation C of two views (Zbontar et al., ICML 2021).

    gathered: over the rows of all processes. Returns a scalar.
    """
    _pair(first, second)
    both = [gather(first), gather(second)] if gathered else [first, second]
    own, others = decorrelation.apart_from_identity(decorrelation.cross_correlation(*both))
    return own + redundancy * others


def vicreg(
    first: Tensor,
    second: Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    *,
    gathered: bool = False,
) -> Tensor:
    """Invariance, variance and covariance of two views (Bardes et al., ICLR 2022). gathered: the last two over the rows
    of all processes. Returns a scalar."""
    _pair(first, second)
    both = [gather(first), gather(second)] if gathered else [first, second]
    missing = torch.stack([decorrelation.missing_deviation(rows) for rows in both]).mean()
    shared = torch.stack([decorrelation.shared_covariance(rows) for rows in both]).sum()
    apart = regression.squared_error(first, second).mean()
    return invariance * apart + variance * missing + covariance * shared


def _pair(first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or first.shape != second.shape:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise UserError(f"The two batches must both be (B, D), row i of one with row i of the other, not {shapes}.")
