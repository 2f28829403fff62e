"""What a backbone returns: the last map and the pooled feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from twofold.errors import UserError, clause

PROBED = (2, 3, 64, 64)  # images by which the width of a plain network is found


class Features(NamedTuple):
    """map: (B, C', h, w), the output of the last stage, or None where the network has none. pooled: (B, C).

    C' = C and `pooled` is the mean of `map` in residual networks; some networks normalise or widen after pooling.
    """

    map: Tensor | None
    pooled: Tensor


def features_of(output: Any) -> Features:
    """What any network gives as `Features`: such as they are; a vector (B, C) has no map; a map (B, C, ...) is pooled
    by its mean. Raises TypeError for anything else."""
    if isinstance(output, Features):
        return output
    if isinstance(output, Tensor) and output.ndim == 2:
        return Features(None, output)
    if isinstance(output, Tensor) and output.ndim > 2:
        return Features(output, output.flatten(2).mean(2))
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise TypeError(f"the network gives {shape} where (B, C), or a map (B, C, ...), was expected")


def width_of(network: nn.Module) -> int:
    """The number of channels of a network's pooled feature: what it says itself as `width`, else by what it makes of
    two black images of 64 px. Raises UserError where it does not run on these."""
    told = getattr(network, "width", None)
    if isinstance(told, int):
        return told
    training = network.training
    try:
        with torch.no_grad():
            return features_of(network.eval()(torch.zeros(PROBED))).pooled.shape[1]
    except Exception as error:  # anybody's network
        raise UserError(
            f"{type(network).__name__} does not take images {PROBED} ({clause(error)}): give it an attribute `width`, "
            f"the length of its feature."
        ) from error
    finally:
        network.train(training)


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
