"""The networks of soft actor-critic from pixels: one stack of convolutions, seen by both sides, taught by one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.control.nets.encoders import Encoder


class StateEncoder(nn.Module):
    """States -> features (B, `features`) under a layer norm: convolutions, or a network for vectors, then one layer."""

    def __init__(self, state: tuple[int, ...], network: str, features: int = 50, hidden: int = 256) -> None:
        super().__init__()
        self.width = features
        self.layers = Encoder(state, network, hidden)
        self.project = nn.Sequential(nn.Linear(self.layers.width, features), nn.LayerNorm(features))
        self.apply(initialise)

    def forward(self, states: Tensor) -> Tensor:
        return self.project(self.layers(states))


class Critic(nn.Module):
    """Two values of features and an action, each (B,) and float32, also under autocast."""

    def __init__(self, features: int, actions: int, hidden: int) -> None:
        super().__init__()
        self.one, self.other = _mlp(features + actions, hidden, 1), _mlp(features + actions, hidden, 1)
        self.apply(initialise)

    def forward(self, features: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([features, action], 1)
        return self.one(both)[:, 0].float(), self.other(both)[:, 0].float()


class Actor(nn.Module):
    """Mean and log standard deviation in [-10, 2] of the action before tanh, (B, A) each and float32.

    layers: the critics' convolutions, the very same tensors; no gradient goes into them.
    """

    def __init__(self, layers: Encoder, actions: int, features: int, hidden: int) -> None:
        super().__init__()
        self._tied = [layers]  # in a list: they are the encoder's, and stand there in the state
        self.project = nn.Sequential(nn.Linear(layers.width, features), nn.LayerNorm(features))
        self.head = _mlp(features, hidden, 2 * actions)
        self.apply(initialise)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            seen = self.tied(states)
        mean, spread = self.head(self.project(seen)).float().chunk(2, 1)
        return mean, -10 + 6 * (spread.tanh() + 1)

    @property
    def tied(self) -> Encoder:
        """The critics' convolutions."""
        return self._tied[0]


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


def initialise(layer: nn.Module) -> None:
    """Linear layers orthogonal, convolutions delta-orthogonal with ReLU's gain (Xiao et al. 2018), biases 0."""
    if isinstance(layer, nn.Linear):
        nn.init.orthogonal_(layer.weight)
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Conv2d):
        assert layer.bias is not None
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        middle = layer.weight.shape[2] // 2
        nn.init.orthogonal_(layer.weight.data[:, :, middle, middle], nn.init.calculate_gain("relu"))
