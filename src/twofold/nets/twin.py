"""The momentum twin: a copy that follows its original as an exponential moving average (EMA) of its parameters."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def twin_of(module: nn.Module) -> nn.Module:
    """A copy without gradient. It stays in train mode and keeps batch statistics of its own (MoCo, BYOL)."""
    copied = copy.deepcopy(module)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied


@torch.no_grad()
def follow(twin: nn.Module, original: nn.Module, momentum: float) -> None:
    """twin <- momentum * twin + (1 - momentum) * original, parameters only; buffers are never averaged."""
    theirs: list[Tensor] = list(twin.parameters())
    ours: list[Tensor] = list(original.parameters())
    if theirs:
        torch._foreach_lerp_(theirs, ours, 1 - momentum)
