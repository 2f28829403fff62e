"""What a backbone returns: the last map and the pooled feature."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Features(NamedTuple):
    """map: (B, C', h, w), the output of the last stage, or None where the network has none. pooled: (B, C).

    C' = C and `pooled` is the mean of `map` in residual networks; some networks normalise or widen after pooling.
    """

    map: Tensor | None
    pooled: Tensor
