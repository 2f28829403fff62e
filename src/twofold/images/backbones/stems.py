"""The first layers of a ResNet for small images."""

from __future__ import annotations

from typing import Any

from torch import nn

from twofold.errors import UserError, nearest

STEMS = {
    "imagenet": "7x7 stride 2 with max-pool",
    "stl": "3x3 stride 1 with max-pool",
    "cifar": "3x3 stride 1 without max-pool",
}


def choose_stem(stem: str, image_size: int) -> str:
    """`auto` resolved by image size: cifar up to 40 px, stl up to 72 px, else imagenet (the W-MSE authors' rule)."""
    if stem == "auto":
        return "cifar" if image_size <= 40 else "stl" if image_size <= 72 else "imagenet"
    if stem not in STEMS:
        raise UserError(f'No stem is called "{stem}"; choose auto, {", ".join(STEMS)}.{nearest(stem, STEMS)}')
    return stem


def has_stem(network: nn.Module) -> bool:
    """Whether the network begins with one convolution and a max-pool, as ResNets do."""
    return isinstance(getattr(network, "conv1", None), nn.Conv2d) and isinstance(
        getattr(network, "maxpool", None), nn.MaxPool2d
    )


def apply_stem(network: Any, stem: str) -> list[str]:
    """Change the stem in place; returns the Python lines that do the same to `model`.

    The new convolution is 3x3, stride 1, padding 1, no bias, with PyTorch's own initialisation, as in the published
    CIFAR code of MoCo and W-MSE.
    """
    lines: list[str] = []
    if stem in ("cifar", "stl"):
        seen, channels = network.conv1.in_channels, network.conv1.out_channels
        network.conv1 = nn.Conv2d(seen, channels, 3, 1, 1, bias=False)
        lines.append(f"model.conv1 = torch.nn.Conv2d({seen}, {channels}, 3, 1, 1, bias=False)")
    if stem == "cifar":
        network.maxpool = nn.Identity()
        lines.append("model.maxpool = torch.nn.Identity()")
    return lines


def zero_last_norms(network: nn.Module) -> int:
    """Set the scale of the last norm of each residual block to zero, in place; returns how many there were."""
    count = 0
    for block in network.modules():
        last = getattr(block, "bn3", getattr(block, "bn2", None))
        weight = getattr(last, "weight", None)
        if hasattr(block, "conv2") and isinstance(weight, nn.Parameter):
            nn.init.zeros_(weight)
            count += 1
    return count
