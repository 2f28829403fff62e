"""Networks over clips without shortcuts: C3D with batch norm, and a small one for small data and tests."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from twofold.nets.features import Features
from twofold.videos.backbones.initial import initialise

_C3D = (  # name, channels, pool before it
    ("1", 64, None),
    ("2", 128, (1, 2, 2)),
    ("3a", 256, (2, 2, 2)),
    ("3b", 256, None),
    ("4a", 512, (2, 2, 2)),
    ("4b", 512, None),
    ("5a", 512, (2, 2, 2)),
    ("5b", 512, None),
)


class C3D(nn.Module):
    """Eight 3x3x3 convolutions, each with BN and ReLU, and four max-pools between: (B, 3, T, H, W) -> (B, 512).

    The map before the mean is (B, 512, T/8, H/16, W/16), rounded down. Tran et al., Learning Spatiotemporal Features
    with 3D Convolutional Networks (ICCV 2015), without its fully connected layers and the pool before them.
    """

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for name, channels, _ in _C3D:
            self.add_module(f"conv{name}", nn.Conv3d(before, channels, 3, padding=1))
            self.add_module(f"bn{name}", nn.BatchNorm3d(channels))
            before = channels
        initialise(self)

    def map(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 512, T/8, H/16, W/16)."""
        for name, _, pool in _C3D:
            x = x if pool is None else nn.functional.max_pool3d(x, pool, pool)
            x = getattr(self, f"bn{name}")(getattr(self, f"conv{name}")(x)).relu_()
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 512)."""
        return self.map(x).mean((2, 3, 4))


class ConvNet3D(nn.Module):
    """Four 3x3x3 convolutions, each with BN and ReLU, then a mean: (B, 3, T, H, W) -> (B, 128).

    Channels 16, 32, 64, 128; strides (1, 2, 2), (2, 2, 2), (2, 2, 2), 1. Map: (B, 128, T/4, H/8, W/8), rounded up.
    """

    def __init__(self) -> None:
        super().__init__()
        widths, strides = (3, 16, 32, 64, 128), ((1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 1, 1))
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv3d(before, after, 3, stride, 1, bias=False), nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def map(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 128, T/4, H/8, W/8)."""
        return self.layers(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 128)."""
        return self.map(x).mean((2, 3, 4))


def plain_features(network: Any, x: Tensor) -> Features:
    """The map and its mean."""
    found = network.map(x)
    return Features(found, found.mean((2, 3, 4)))
