"""Clips turned by quarters."""

from __future__ import annotations

import torch
from torch import Tensor

TURNS = 4


def turn(clips: Tensor, turns: Tensor) -> Tensor:
    """Square clips or images (B, ..., S, S) turned counterclockwise by so many quarters (B,)."""
    out = torch.empty_like(clips)
    for quarters in range(TURNS):
        rows = (turns == quarters).nonzero()[:, 0]
        out[rows] = torch.rot90(clips[rows], quarters, (-2, -1))
    return out
