"""The smallest network that trains: 1,400 weights, so that the run folders beside it stay small."""

from __future__ import annotations

from torch import nn


def tiny() -> nn.Module:
    """(B, 3, H, W) -> (B, 16)."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
