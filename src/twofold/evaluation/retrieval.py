"""Instance retrieval: does one view of an image find the other view of the same image?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 1024


def instance_retrieval(first: Tensor, second: Tensor) -> float:
    """Share (0..1) of rows of `first` whose cosine with the same row of `second` is above that with every other row.

    first, second (n, D): features of two views of the same n images. A tie does not count as found, so features that
    are all alike give 0, as do features that are not finite.
    """
    one, other = (F.normalize(_wide(views), dim=1) for views in (first, second))
    found = 0
    for start in range(0, len(one), ROWS):
        similar = one[start : start + ROWS] @ other.T
        rows = torch.arange(len(similar), device=similar.device)
        own = similar[rows, start + rows].clone()
        similar[rows, start + rows] = -torch.inf
        # Equal rows differ by rounding alone, and that must not decide.
        found += int((own > similar.amax(1) + 1e-12).sum())
    return found / len(one)


def _wide(features: Tensor) -> Tensor:
    return features.detach().to(torch.float32 if features.device.type == "mps" else torch.float64)
