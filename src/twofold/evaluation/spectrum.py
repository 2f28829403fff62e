"""Is a representation collapsing? Two numbers from a batch of features."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def spread(features: Tensor) -> float:
    """Mean over channels of the standard deviation of L2-normalised rows, times sqrt(D): about 1 where healthy, 0 where
    collapsed (SimSiam, section 4.1). features (n, D). NaN where a feature is not finite.
    """
    unit = F.normalize(_wide(features), dim=1)
    return (unit.std(0, correction=0).mean() * math.sqrt(unit.shape[1])).item()


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the normalised singular values of features (n, D), between 1 and min(n, D).

    Roy & Vetterli 2007; RankMe (Garrido et al. 2023). Not centred: rows that are all alike give 1. All zeros give 0;
    NaN where a feature is not finite.
    """
    wide = _wide(features)
    if not bool(torch.isfinite(wide).all()):
        return math.nan
    gram = wide.T @ wide if wide.shape[0] >= wide.shape[1] else wide @ wide.T
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    if values.sum() == 0:
        return 0.0
    p = values / values.sum()
    return torch.special.entr(p).sum().exp().item()


def _wide(features: Tensor) -> Tensor:
    # float64 so that squaring in the Gram matrix costs no digit that matters; devices without it work in float32
    return features.detach().to(torch.float32 if features.device.type == "mps" else torch.float64)
