"""Where the cells of a network's map lie in the picture, read off its strides and paddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from twofold.nets.features import Features, Grid

_STRIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def features_and_grid(
    network: nn.Module, run: Callable[[Tensor], Features], side: int, channels: int = 3
) -> tuple[Features, Grid | None]:
    """What the network makes of a black picture of side x side pixels, and the grid of its map where it has one.

    Each convolution or pooling that changes the size moves the first centre by its kernel's less its padding. Where a
    network changes the size by other means, its cells are taken for patches side by side.
    """
    places = {side: (1.0, 0.0)}  # by the side of a map: pixels from cell to cell, and of the first one's centre

    def note(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = inputs[0].shape[-1], output.shape[-1]
        if before in places and after not in places and not isinstance(layer.padding, str):
            jump, centre = places[before]
            kernel, stride, padding = (_last(value) for value in (layer.kernel_size, layer.stride, layer.padding))
            reach = (kernel - 1) * _last(layer.dilation if hasattr(layer, "dilation") else 1)
            places[after] = jump * stride, centre + (reach / 2 - padding) * jump

    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, _STRIDING)]
    try:
        features = run(torch.zeros(1, channels, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    if features.map is None:
        return features, None
    rows, columns = features.map.shape[2:]
    stride, centre = places.get(columns, (side / columns, (side / columns - 1) / 2))
    return features, Grid(rows, columns, stride, centre)


def _last(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[-1]
