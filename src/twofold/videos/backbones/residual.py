"""Residual networks over clips: R3D, R(2+1)D and ResNet3D, of any depth, width and stem.

Layers are named as in torchvision.models.video, so that weights go both ways wherever the shapes are equal.
Sources: Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition (CVPR 2018); Hara et al., Can
Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet? (CVPR 2018), for the 7x7x7 stem with its max-pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from twofold.nets.features import Features
from twofold.videos.backbones.initial import initialise

STEMS = {
    "3x7x7": "3x7x7, stride 1x2x2",
    "7x7x7": "7x7x7, stride 1x2x2, with max-pool",
    "2+1": "1x7x7 and 3x1x1, stride 1x2x2",
    "3x3x3": "3x3x3, stride 1x2x2",
}


@dataclass(frozen=True)
class Shape:
    """What a residual network is made of.

    factored: each 3x3x3 convolution is one of 1x3x3 and one of 3x1x1 (R(2+1)D). bottleneck: blocks of 1x1x1, 3x3x3 and
    1x1x1 convolutions that widen four times. blocks, widths: of the four stages. stem: one of `STEMS`. channels: of the
    input. dense: the last stage keeps the height and width of its input and halves its frames alone (CtP). halving: the
    first convolution halves height and width.
    """

    factored: bool
    bottleneck: bool
    blocks: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    stem: str = "3x7x7"
    channels: int = 3
    dense: bool = False
    halving: bool = True


def middle_channels(before: int, after: int) -> int:
    """Channels between 1x3x3 and 3x1x1 that keep the weights of one 3x3x3: floor(27 i o / (9 i + 3 o)) (Tran et al.)"""
    return 27 * before * after // (9 * before + 3 * after)


def _convolution(before: int, after: int, stride: tuple[int, int, int], factored: bool) -> nn.Module:
    """3x3x3, or 1x3x3 then BN, ReLU and 3x1x1."""
    if not factored:
        return nn.Conv3d(before, after, 3, stride, 1, bias=False)
    middle = middle_channels(before, after)
    time, *space = stride
    return nn.Sequential(
        nn.Conv3d(before, middle, (1, 3, 3), (1, space[0], space[1]), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, after, (3, 1, 1), (time, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    """y = ReLU(convolutions(x) + x), x being brought to the size of the convolutions' output by 1x1x1 and BN.

    stride: (time, height, width) of the first 3x3x3 convolution.
    """

    def __init__(self, before: int, width: int, stride: tuple[int, int, int], shape: Shape) -> None:
        super().__init__()
        after = width * (4 if shape.bottleneck else 1)
        if shape.bottleneck:
            layers: list[nn.Module] = [
                nn.Conv3d(before, width, 1, bias=False),
                _convolution(width, width, stride, shape.factored),
                nn.Conv3d(width, after, 1, bias=False),
            ]
        else:
            layers = [
                _convolution(before, width, stride, shape.factored),
                _convolution(width, width, (1, 1, 1), shape.factored),
            ]
        out = [*[width] * (len(layers) - 1), after]
        for number, (layer, channels) in enumerate(zip(layers, out, strict=True), 1):
            relu = [nn.ReLU(inplace=True)] if number < len(layers) else []
            self.add_module(f"conv{number}", nn.Sequential(layer, nn.BatchNorm3d(channels), *relu))
        self.downsample: nn.Module | None = None
        if stride != (1, 1, 1) or before != after:
            self.downsample = nn.Sequential(nn.Conv3d(before, after, 1, stride, bias=False), nn.BatchNorm3d(after))
        self._layers = len(layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, T, H, W) -> (B, after, T', H', W')."""
        y = x
        for number in range(1, self._layers + 1):
            y = getattr(self, f"conv{number}")(y)
        return F.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


def _stem(shape: Shape) -> nn.Sequential:
    width, halving = shape.widths[0], (1, 2, 2) if shape.halving else (1, 1, 1)

    def layer(before: int, after: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> list[nn.Module]:
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        convolution = nn.Conv3d(before, after, kernel, stride, padding, bias=False)
        return [convolution, nn.BatchNorm3d(after), nn.ReLU(inplace=True)]

    if shape.stem == "2+1":
        middle = max(1, 45 * width // 64)
        return nn.Sequential(
            *layer(shape.channels, middle, (1, 7, 7), halving), *layer(middle, width, (3, 1, 1), (1, 1, 1))
        )
    if shape.stem == "7x7x7":
        return nn.Sequential(*layer(shape.channels, width, (7, 7, 7), halving), nn.MaxPool3d(3, 2, 1))
    return nn.Sequential(*layer(shape.channels, width, (3, 7, 7) if shape.stem == "3x7x7" else (3, 3, 3), halving))


class ResidualVideo(nn.Module):
    """stem, layer1 ... layer4, mean: (B, channels, T, H, W) -> (B, C), C being 4 times the last width in bottlenecks.

    Each stage but the first halves frames, height and width (`Shape.dense`: the last one frames alone).
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stem = _stem(shape)
        before = shape.widths[0]
        for stage, (width, blocks) in enumerate(zip(shape.widths, shape.blocks, strict=True), 1):
            stride = (1, 1, 1) if stage == 1 else (2, 1, 1) if stage == 4 and shape.dense else (2, 2, 2)
            layers = []
            for number in range(blocks):
                layers.append(Block(before, width, stride if number == 0 else (1, 1, 1), shape))
                before = width * (4 if shape.bottleneck else 1)
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
        initialise(self)

    def stages(self, x: Tensor) -> list[Tensor]:
        """The maps of layer1 to layer4, each (B, C_i, T_i, H_i, W_i)."""
        return stage_maps(self, x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, T, H, W) -> (B, C)."""
        return residual_features(self, x).pooled


def stage_maps(network: Any, x: Tensor) -> list[Tensor]:
    """The maps of layer1 to layer4 of ours and of torchvision's residual networks."""
    x, maps = network.stem(x), []
    for stage in range(1, 5):
        x = getattr(network, f"layer{stage}")(x)
        maps.append(x)
    return maps


def residual_features(network: Any, x: Tensor) -> Features:
    """The last map and its mean."""
    last = stage_maps(network, x)[-1]
    return Features(last, last.mean((2, 3, 4)))
