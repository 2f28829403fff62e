"""What a backbone returns: the last map and the pooled feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Features(NamedTuple):
    """map: (B, C', h, w), the output of the last stage, or None where the network has none. pooled: (B, C).

    C' = C and `pooled` is the mean of `map` in residual networks; some networks normalise or widen after pooling.
    """

    map: Tensor | None
    pooled: Tensor


@dataclass(frozen=True)
class Grid:
    """Where the cells of a map lie in a picture.

    rows, columns: cells of the map. stride: pixels between the centres of neighbouring cells. centre: pixel, counted
    from 0, on which the first cell of a row or column is centred: 0 in networks of padded convolutions, whose cell i
    sees most of pixel stride * i; (stride - 1) / 2 where the picture is cut into patches.
    """

    rows: int
    columns: int
    stride: float
    centre: float

    @property
    def patches(self) -> bool:
        """Whether cells are patches side by side, and not centred on every stride-th pixel from the first on."""
        return self.centre > self.stride / 4


def cells_of(map: Tensor) -> Tensor:
    """The cells of a map (B, C, h, w), row by row: (B, h w, C)."""
    return map.flatten(2).transpose(1, 2)
