"""Two small networks: `resnet10` (one block a stage) and `convnet` (four convolutions), for small data and tests."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from twofold.nets.features import Features
from twofold.pixels.backbones.built import Built, call
from twofold.pixels.batch import RGB

NAMES = ("resnet10", "convnet")


class ConvNet(nn.Module):
    """Four 3x3 convolutions (32, 64, 128, 128 channels; strides 2, 2, 2, 1), each with BN and ReLU, then a mean.

    (B, channels, H, W) -> (B, 128); the map before the mean is (B, 128, H/8, W/8).
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        widths, strides = (channels, 32, 64, 128, 128), (2, 2, 2, 1)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, 128)."""
        return convnet_features(self, x).pooled


def convnet_features(network: Any, x: Tensor) -> Features:
    """The map and its mean."""
    maps = network.layers(x)
    return Features(maps, F.adaptive_avg_pool2d(maps, 1).flatten(1))


def build_convnet(channels: int) -> Built:
    """The four-layer network."""
    settings = {} if channels == RGB else {"channels": channels}
    lines = ["from twofold.images.backbones.small import ConvNet", call("model = ConvNet", **settings)]
    return Built(ConvNet(channels), convnet_features, "twofold", "convnet", lines)
