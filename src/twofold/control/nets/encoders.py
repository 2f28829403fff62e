"""From a state to features: the networks that are learned, and exported."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from twofold.control.world import World
from twofold.errors import UserError

Network = Literal["auto", "data-efficient", "canonical", "grid", "sac", "mlp"]
# Filters, kernel and stride of each layer.
CONVOLUTIONS = {
    "data-efficient": ((32, 5, 5), (64, 5, 5)),
    "canonical": ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    "sac": ((32, 3, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1)),
}
NETWORKS = (*CONVOLUTIONS, "grid", "mlp")
_CELLS = 16  # of a side, about, that the second layer of "grid" sees


class Encoder(nn.Module):
    """States -> features (B, `width`): pictures (B, C, H, W) of 0..255, or vectors (B, D).

    network: "data-efficient" and "canonical" are Rainbow's (576 and 3,136 features of 84 x 84); "grid" is for pictures
    of a few dozen pixels, every one of which it sees; "sac" is CURL's; "mlp" is for vectors.
    """

    def __init__(self, state: tuple[int, ...], network: str, hidden: int = 256) -> None:
        super().__init__()
        self.state, self.network, self.hidden = state, network, hidden
        if network == "mlp":
            self.layers = nn.Sequential(
                nn.Linear(math.prod(state), hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
            )
            self.width = hidden
            return
        channels, layers = state[0], list[nn.Module]()
        grid = network == "grid"
        plan = _grid(state) if grid else CONVOLUTIONS[network]
        for filters, kernel, stride in plan:
            layers += [nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2 if grid else 0), nn.ReLU()]
            channels = filters
        self.layers = nn.Sequential(*layers)
        try:
            with torch.no_grad():
                self.width = self.layers(torch.zeros(1, *state)).numel()
        except RuntimeError as error:
            raise UserError(
                f"The network {network} needs larger pictures than {state[1]} x {state[2]}: give another "
                f"--method.network, or a larger --size."
            ) from error

    def forward(self, states: Tensor) -> Tensor:
        if self.network == "mlp":
            return self.layers(states.flatten(1))
        return self.layers(states.contiguous(memory_format=torch.channels_last) / 255).flatten(1)


def _grid(state: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    """Filters, kernel and stride of "grid": single pixels of small pictures, cells of a few pixels of larger ones."""
    stride = max(-(-max(state[1:]) // _CELLS), 1)
    return (32, 2 * stride + 1, stride), (64, 3, 2)


def choose(network: str, world: World) -> str:
    """The network that suits a world where none is named. Raises UserError for one that cannot work there."""
    if network == "auto":
        if not world.pixels:
            return "mlp"
        return "data-efficient" if min(world.frame[1:]) >= 64 else "grid"
    if (network == "mlp") == world.pixels:
        kind = "pictures" if world.pixels else "vectors"
        raise UserError(f"The network {network} does not take {kind}, which this environment gives: leave it to auto.")
    return network
