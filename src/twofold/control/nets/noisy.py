"""Linear layers with learned noise (Fortunato et al., Noisy Networks for Exploration, ICLR 2018), factorised."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Drawn = tuple[Tensor, Tensor]  # weight and bias of a layer


class NoisyLinear(nn.Module):
    """Weights mu + sigma * noise while training, mu in evaluation, or as `noisy` says. The noise is what `resample`
    drew last.

    Args:
        inputs: Features.
        outputs: Features.
        sigma: Initial scale of the noise; over the root of the inputs for weights, of the outputs for biases.
    """

    weight_noise: Tensor
    bias_noise: Tensor

    def __init__(self, inputs: int, outputs: int, sigma: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-1, 1) / math.sqrt(inputs))
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma / math.sqrt(inputs)))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma / math.sqrt(outputs)))
        self.register_buffer("weight_noise", torch.zeros(outputs, inputs), persistent=False)
        self.register_buffer("bias_noise", torch.zeros(outputs), persistent=False)

    def resample(self, generator: torch.Generator) -> None:
        """Draw the noise of every weight as f(a) f(b) of two vectors, f(x) = sign(x) sqrt|x|. generator: of the CPU."""
        outputs, inputs = self.weight.shape
        drawn = torch.randn(inputs + outputs, generator=generator)
        scaled = (drawn.sign() * drawn.abs().sqrt()).to(self.weight.device)
        torch.outer(scaled[inputs:], scaled[:inputs], out=self.weight_noise)
        self.bias_noise.copy_(scaled[inputs:])

    def drawn(self, noisy: bool | None = None) -> Drawn:
        """Weight and bias with the noise that was drawn last, or without; making them is half of a pass over a small
        batch."""
        if not (self.training if noisy is None else noisy):
            return self.weight, self.bias
        weight = torch.addcmul(self.weight, self.weight_sigma, self.weight_noise)
        return weight, torch.addcmul(self.bias, self.bias_sigma, self.bias_noise)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.drawn())


class Dueling(nn.Module):
    """Value and advantages as distributions over atoms (Wang et al. 2016; Bellemare et al. 2017): logits (B, A, atoms),
    v + a - mean of a over the actions, atom by atom; float32, also under autocast."""

    def __init__(self, features: int, hidden: int, actions: int, atoms: int, sigma: float) -> None:
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.value_hidden, self.value = NoisyLinear(features, hidden, sigma), NoisyLinear(hidden, atoms, sigma)
        self.advantage_hidden = NoisyLinear(features, hidden, sigma)
        self.advantage = NoisyLinear(hidden, actions * atoms, sigma)

    def drawn(self, noisy: bool | None = None) -> Sequence[Drawn]:
        """The weights of all layers as `forward` takes them, for several passes with the same noise."""
        layers = (self.value_hidden, self.value, self.advantage_hidden, self.advantage)
        return [layer.drawn(noisy) for layer in layers]

    def forward(self, features: Tensor, drawn: Sequence[Drawn] | None = None) -> Tensor:
        value_hidden, value_out, advantage_hidden, advantage_out = self.drawn() if drawn is None else drawn
        value = F.linear(F.linear(features, *value_hidden).relu(), *value_out).view(-1, 1, self.atoms)
        advantage = F.linear(F.linear(features, *advantage_hidden).relu(), *advantage_out)
        advantage = advantage.view(-1, self.actions, self.atoms)
        return (value + advantage - advantage.mean(1, keepdim=True)).float()

    def resample(self, generator: torch.Generator) -> None:
        """Draw the noise of all layers."""
        for layer in self.children():
            assert isinstance(layer, NoisyLinear)
            layer.resample(generator)
