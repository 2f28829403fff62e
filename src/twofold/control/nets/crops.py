"""Crops of states: one offset for all the frames of a state, so that what moves in them keeps its speed."""

from __future__ import annotations

import torch
from torch import Tensor


def random_crop(states: Tensor, height: int, width: int) -> Tensor:
    """A crop of (height, width) at a random place of each state (B, C, H, W), every offset equally likely; drawn from
    torch's own generator."""
    across, down = states.shape[3] - width, states.shape[2] - height
    top = torch.randint(down + 1, (len(states),), device=states.device)
    left = torch.randint(across + 1, (len(states),), device=states.device)
    windows = states.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, down + 1, across + 1, height, width)
    return windows[torch.arange(len(states), device=states.device), :, top, left]


def centre_crop(states: Tensor, height: int, width: int) -> Tensor:
    """The middle of each state."""
    top, left = (states.shape[2] - height) // 2, (states.shape[3] - width) // 2
    return states[:, :, top : top + height, left : left + width]
