"""Networks beside a backbone: over motion, and over single pictures (CMD, Huang et al., CVPR 2021, 2104.00862)."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from twofold.videos.backbones.initial import initialise
from twofold.videos.backbones.residual import ResidualVideo, Shape, stage_maps


class MotionEncoder(nn.Module):
    """ResNet3D-10 over two channels, whose first convolution keeps height and width.

    (B, 2, T, S, S) -> (B, 8 width, T / 16, S / 16, S / 16), rounded up.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        self.network = ResidualVideo(Shape(False, False, (1, 1, 1, 1), widths, "7x7x7", channels=2, halving=False))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 2, T, S, S) -> the last map."""
        return stage_maps(self.network, maps)[-1]


class PictureEncoder(nn.Module):
    """ResNet-10: (B, 3, S, S) -> (B, 8 width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        stem = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        for stage in range(4):
            before, after, stride = width << max(stage - 1, 0), width << stage, 1 if stage == 0 else 2
            wider = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
            layers.append(BasicBlock(before, after, stride, wider if stride > 1 else None))
        self.network = nn.Sequential(*layers)
        initialise(self.network)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, 8 width)."""
        maps: Tensor = self.network(pictures)
        return maps.mean((2, 3))
