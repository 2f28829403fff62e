"""The knowledge transformer and the temporal teachers of TKC (Feng et al., ICCV 2021, 2108.10668; a reconstruction)."""

from __future__ import annotations

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.processes import total, world
from twofold.resources import bytes_in_words, require


class KnowledgeTransformer(nn.Module):
    """Adapts what temporal teachers say, and weighs the teachers, image by image.

    teachers: how many, h. dim: D of what they say. adapter: "residual" starts as the identity and learns what to add,
    v = N(u + A(u + e)); "plain" is v = N(A(u + e)); "identity" v = N(u).
    """

    def __init__(self, teachers: int, dim: int, adapter: Literal["residual", "plain", "identity"]) -> None:
        super().__init__()
        self.residual = adapter == "residual"
        self.slots = nn.Parameter(torch.randn(teachers, dim) * 0.02) if adapter != "identity" else None
        last = nn.Linear(2 * dim, dim)
        if self.residual:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        hidden = nn.Linear(dim, 2 * dim)
        adapt = nn.Sequential(hidden, nn.BatchNorm1d(2 * dim), nn.ReLU(inplace=True), last)
        self.adapt = adapt if adapter != "identity" else None
        self.importance = nn.Sequential(nn.Linear(dim, max(dim // 2, 1)), nn.ReLU(), nn.Linear(max(dim // 2, 1), 1))

    def forward(self, taught: Tensor) -> tuple[Tensor, Tensor]:
        """taught: (n, B, D), what n <= h teachers say. Returns unit targets (n, B, D) and log-importances (n, B)."""
        weights = self.importance(taught).squeeze(2).log_softmax(0)
        if self.adapt is None or self.slots is None:
            return F.normalize(taught, dim=2), weights
        adapted = self.adapt((taught + self.slots[: len(taught), None]).flatten(0, 1)).view_as(taught)
        return F.normalize(taught + adapted if self.residual else adapted, dim=2), weights


class Snapshots(nn.Module):
    """A ring of frozen copies of a network, in evaluation mode; checkpoints hold them. Empty slots hold the start."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        own = sum(value.nbytes for value in network.state_dict().values())
        require(count * own, f"{count:,} teachers of {bytes_in_words(own)}", "give fewer")
        self.ring = nn.ModuleList(copy.deepcopy(network).requires_grad_(False) for _ in range(count))
        self.train(False)

    @torch.no_grad()
    def take(self, network: nn.Module, number: int) -> None:
        """Copy the network as snapshot `number` (from 0) over the oldest; batch statistics: mean over processes."""
        slot = self.ring[number % len(self.ring)].state_dict()
        weights = {name for name, _ in network.named_parameters(remove_duplicate=False)}
        for name, value in network.state_dict().items():
            shared = name in weights or not value.is_floating_point()
            slot[name].copy_(value if shared else total(value) / world())

    def train(self, mode: bool = True) -> Snapshots:
        """They stay in evaluation mode."""
        return super().train(False)
