"""The four convolutions of `convnet`, then three residual ones, dilated 1, 2 and 4: a cell of the map sees 143 pixels,
not 31. Whether what a cell sees decides over dense systems (docs/methods/densecl.md):

    PYTHONPATH=benchmarks twofold pretrain densecl DATA --backbone wide_cells:network --image-size 64 ...
"""

from __future__ import annotations

from torch import Tensor, nn

from twofold.images.backbones.small import ConvNet


class Residual(nn.Module):
    """A dilated 3x3 convolution with batch norm, added to what it is given: (B, 128, H, W) -> the same."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        convolution = nn.Conv2d(128, 128, 3, 1, dilation, dilation, bias=False)
        self.layers = nn.Sequential(convolution, nn.BatchNorm2d(128))
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.layers(x))


def network() -> nn.Module:
    """(B, 3, H, W) -> the map (B, 128, H/8, W/8)."""
    return nn.Sequential(*ConvNet().layers, Residual(1), Residual(2), Residual(4))
