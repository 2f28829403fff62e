"""I3D: GoogLeNet with every kernel inflated over time (Carreira and Zisserman, Quo Vadis, CVPR 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.videos.backbones.initial import initialise

_MIXED = {  # channels: 1x1x1 | 1x1x1, 3x3x3 | 1x1x1, 3x3x3 | 1x1x1 after a max-pool
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
_POOLS = {"Mixed_3b": ((1, 3, 3), (1, 2, 2)), "Mixed_4b": ((3, 3, 3), (2, 2, 2)), "Mixed_5b": ((2, 2, 2), (2, 2, 2))}


def pad_as_tensorflow(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros around (B, C, T, H, W) so that each axis comes out as its size over the stride, rounded up; the odd zero
    stands at the end, as in the network's original."""
    pads: list[int] = []
    for size, reach, step in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        short = max((-(-size // step) - 1) * step + reach - size, 0)
        pads += [short // 2, short - short // 2]
    return F.pad(x, pads)


def _pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    return F.max_pool3d(pad_as_tensorflow(x, kernel, stride), kernel, stride)  # of ReLUs, so that zeros never win


class Unit(nn.Module):
    """Convolution, BN (eps 1e-3) and ReLU: (B, before, T, H, W) -> (B, after, T', H', W')."""

    def __init__(self, before: int, after: int, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(before, after, size, stride, bias=False)
        self.bn = nn.BatchNorm3d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Sizes are divided by the stride and rounded up."""
        return F.relu_(self.bn(self.conv3d(pad_as_tensorflow(x, self.conv3d.kernel_size, self.conv3d.stride))))


class Mixed(nn.Module):
    """Four branches side by side. channels: as in `_MIXED`; the output has the 1st, 3rd, 5th and 6th of them."""

    def __init__(self, before: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        one, narrow, three, thin, small, pooled = channels
        self.b0 = Unit(before, one)
        self.b1a, self.b1b = Unit(before, narrow), Unit(narrow, three, 3)
        self.b2a, self.b2b = Unit(before, thin), Unit(thin, small, 3)
        self.b3b = Unit(before, pooled)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, T, H, W) -> (B, after, T, H, W)."""
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3D(nn.Module):
    """(B, 3, T, H, W) -> (B, 1024); the map before the mean is (B, 1024, T/8, H/32, W/32), rounded up.

    Layers are named as in the TensorFlow original's usual port.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        before = 192
        for name, channels in _MIXED.items():
            self.add_module(name, Mixed(before, channels))
            before = sum(channels[i] for i in (0, 2, 4, 5))
        initialise(self)

    def map(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 1024, T/8, H/32, W/32)."""
        x = _pool(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in _MIXED:
            x = _pool(x, *_POOLS[name]) if name in _POOLS else x
            x = getattr(self, name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, 1024)."""
        return self.map(x).mean((2, 3, 4))
