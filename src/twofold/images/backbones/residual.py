"""A plain ResNet read off its weights, and the names that other libraries give to these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from twofold.pixels.backbones.from_torchvision import torchvision

STAGES = (1, 2, 3, 4)
_DEPTHS: dict[tuple[bool, tuple[int, ...]], int] = {
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
_NAMES = {
    (50, 32, 4): "resnext50_32x4d",
    (101, 32, 8): "resnext101_32x8d",
    (101, 64, 4): "resnext101_64x4d",
    (50, 1, 128): "wide_resnet50_2",
    (101, 1, 128): "wide_resnet101_2",
}


@dataclass(frozen=True)
class Residual:
    """The shape of a ResNet that begins with a 7x7 convolution of 64 channels.

    bottleneck: blocks of three convolutions (as from ResNet-50 on), not of two. blocks: how many in each of the four
    stages. groups, width: of the 3x3 convolutions, width in channels a group at the first stage (1 and 64 in ResNets).
    """

    bottleneck: bool
    blocks: tuple[int, ...]
    groups: int
    width: int

    @property
    def depth(self) -> int | None:
        """18, 34, 50, 101 or 152, or None for another number of blocks."""
        return _DEPTHS.get((self.bottleneck, self.blocks))

    @property
    def wide(self) -> bool:
        """Whether its 3x3 convolutions are those of ResNeXt or of a wide ResNet."""
        return (self.groups, self.width) != (1, 64)

    @property
    def name(self) -> str | None:
        """What torchvision and most others call it, or None where it has no name."""
        if self.depth is None:
            return None
        return _NAMES.get((self.depth, self.groups, self.width)) if self.wide else f"resnet{self.depth}"

    def __str__(self) -> str:
        return self.name or f"ResNet of {'-'.join(map(str, self.blocks))} blocks"

    @property
    def channels(self) -> list[int]:
        """Of the maps of the four stages."""
        return [64 * 2**i * (4 if self.bottleneck else 1) for i in range(len(STAGES))]

    def build(self) -> nn.Module:
        """torchvision's network of this shape, untrained; its output is the pooled feature."""
        resnet = torchvision().models.resnet
        block = resnet.Bottleneck if self.bottleneck else resnet.BasicBlock
        network: Any = resnet.ResNet(block, list(self.blocks), groups=self.groups, width_per_group=self.width)
        network.fc = nn.Identity()
        return network


def read_residual(state: Mapping[str, Tensor]) -> Residual | None:
    """The shape of the ResNet whose state dict this is, or None where any name or shape is another than torchvision's.

    A 3x3 stem, a deep stem, attention, or a classifier makes it another network.
    """
    blocks = tuple(sum(f"layer{stage}.{i}.conv1.weight" in state for i in range(len(state))) for stage in STAGES)
    inner = state.get("layer1.0.conv2.weight")
    if inner is None or inner.ndim != 4 or 0 in blocks:
        return None
    bottleneck = "layer1.0.conv3.weight" in state
    groups = inner.shape[0] // inner.shape[1] if bottleneck else 1
    found = Residual(bottleneck, blocks, groups, inner.shape[0] // groups if bottleneck else 64)
    try:
        wanted = found.build().state_dict()
    except ValueError:  # a width that torchvision does not build
        return None
    same = wanted.keys() == state.keys() and all(wanted[name].shape == state[name].shape for name in wanted)
    return found if same else None


def detectron2_names(names: list[str]) -> dict[str, str]:
    """torchvision's names of a ResNet's weights -> detectron2's; those of the classifier are left out.

    Stages count from res2, what precedes them is the stem, and norms are parts of their convolutions.
    """
    found = {}
    for name in names:
        if name.startswith("fc."):
            continue
        stage = re.fullmatch(r"layer(\d+)\.(.+)", name)
        place, rest = (f"res{int(stage[1]) + 1}", stage[2]) if stage else ("stem", name)
        rest = re.sub(r"\bdownsample\.0\.", "shortcut.", re.sub(r"\bdownsample\.1\.", "shortcut.norm.", rest))
        rest = re.sub(r"\bbn(\d+)\.", r"conv\1.norm.", rest)
        found[name] = f"{place}.{rest}"
    return found


def transformers_names(names: list[str]) -> dict[str, str]:
    """torchvision's names of a ResNet's weights -> those of ResNetModel and ResNetBackbone of transformers; those of
    the classifier are left out."""
    kinds = {"conv": "convolution", "bn": "normalization"}
    found = {}
    for name in names:
        if name.startswith("fc."):
            continue
        part = re.fullmatch(r"(?:layer(\d+)\.(\d+)\.)?(?:(conv|bn)(\d+)|downsample\.([01]))\.(\w+)", name)
        assert part is not None, name
        stage, block, kind, number, shortcut, last = part.groups()
        if stage is None:
            found[name] = f"embedder.embedder.{kinds[kind]}.{last}"
            continue
        at = f"encoder.stages.{int(stage) - 1}.layers.{block}"
        inner = (
            f"shortcut.{list(kinds.values())[int(shortcut)]}" if shortcut else f"layer.{int(number) - 1}.{kinds[kind]}"
        )
        found[name] = f"{at}.{inner}.{last}"
    return found
