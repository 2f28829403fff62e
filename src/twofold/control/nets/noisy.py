"""Linear layers with learned noise (Fortunato et al., Noisy Networks for Exploration, ICLR 2018), factorised."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NoisyLinear(nn.Module):
    """Weights mu + sigma * noise while training, mu in evaluation, or as `noisy` says. The noise is what `resample`
    drew last: of a weight f(a) f(b), of the bias f(b), by two vectors and f(x) = sign(x) sqrt|x|.

    Args:
        inputs: Features.
        outputs: Features.
        sigma: Initial scale of the noise; over the root of the inputs for weights, of the outputs for biases.
    """

    input_noise: Tensor
    output_noise: Tensor

    def __init__(self, inputs: int, outputs: int, sigma: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-1, 1) / math.sqrt(inputs))
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma / math.sqrt(inputs)))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma / math.sqrt(outputs)))
        self.register_buffer("input_noise", torch.zeros(inputs), persistent=False)
        self.register_buffer("output_noise", torch.zeros(outputs), persistent=False)

    def resample(self, generator: torch.Generator) -> None:
        """Draw f(a) and f(b). generator: of the CPU."""
        inputs = len(self.input_noise)
        drawn = torch.randn(inputs + len(self.output_noise), generator=generator)
        scaled = drawn.sign() * drawn.abs().sqrt()
        self.input_noise.copy_(scaled[:inputs])
        self.output_noise.copy_(scaled[inputs:])

    def forward(self, x: Tensor, noisy: bool | None = None) -> Tensor:
        """(B, inputs) -> (B, outputs). No matrix of noise is made: for one state that would be most of the work."""
        mean = F.linear(x, self.weight, self.bias)
        if not (self.training if noisy is None else noisy):
            return mean
        return mean + self.output_noise * F.linear(self.input_noise * x, self.weight_sigma, self.bias_sigma)


class Dueling(nn.Module):
    """Value and advantages as distributions over atoms (Wang et al. 2016; Bellemare et al. 2017): logits (B, A, atoms),
    v + a - mean of a over the actions, atom by atom; float32, also under autocast."""

    def __init__(self, features: int, hidden: int, actions: int, atoms: int, sigma: float) -> None:
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.value_hidden, self.value = NoisyLinear(features, hidden, sigma), NoisyLinear(hidden, atoms, sigma)
        self.advantage_hidden = NoisyLinear(features, hidden, sigma)
        self.advantage = NoisyLinear(hidden, actions * atoms, sigma)

    def forward(self, features: Tensor, noisy: bool | None = None) -> Tensor:
        value = self.value(self.value_hidden(features, noisy).relu(), noisy).view(-1, 1, self.atoms)
        advantage = self.advantage(self.advantage_hidden(features, noisy).relu(), noisy)
        advantage = advantage.view(-1, self.actions, self.atoms)
        return (value + advantage - advantage.mean(1, keepdim=True)).float()

    def resample(self, generator: torch.Generator) -> None:
        """Draw the noise of all layers."""
        for layer in self.children():
            assert isinstance(layer, NoisyLinear)
            layer.resample(generator)
