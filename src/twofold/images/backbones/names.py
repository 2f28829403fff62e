"""A backbone's name to its network: ours, torchvision's, timm's or the user's, in this order."""

from __future__ import annotations

import re

from torch import nn

from twofold.errors import UserError, nearest
from twofold.images.backbones import from_timm, small
from twofold.images.backbones.inputs import take_channels
from twofold.pixels.backbones import from_torchvision, own
from twofold.pixels.backbones.built import Built
from twofold.pixels.backbones.names import downloading
from twofold.pixels.batch import RGB

PLAIN = re.compile(r"((torchvision|timm):)?[A-Za-z0-9_.]{1,100}")  # no address that a library would fetch from


def find(name: str, image_size: int, pretrained: str | None, channels: int = RGB) -> Built:
    """The network of this name for so many channels; `pretrained` ("torchvision", "timm" or None) must agree with where
    it comes from."""
    source, inner = resolve(name)
    if pretrained and pretrained != source:
        others = f', or weights "{source}"' if source in ("torchvision", "timm") else ""
        raise UserError(f"{name} has no weights pretrained by {pretrained}; use random ones, a file{others}.")
    if source == "own":
        of_channels = {} if channels == RGB else {"in_channels": channels}
        return own.build(inner, {"image_size": image_size, **of_channels})
    if source == "timm":
        with downloading(name):
            return from_timm.build(inner, image_size, pretrained is not None, channels)
    if inner == "convnet":
        return small.build_convnet(channels)
    with downloading(name):
        resnet10 = source == "twofold"
        built = (
            from_torchvision.build_resnet10()
            if resnet10
            else from_torchvision.build(inner, image_size, pretrained is not None)
        )
    built.lines.extend(take_channels(built.network, channels, name))
    return built


def is_own(name: str) -> bool:
    """Whether a name is an import path, which runs code."""
    source, colon, _ = name.partition(":")
    return bool(colon) and source not in ("torchvision", "timm")


def resolve(name: str) -> tuple[str, str]:
    """(source, name inside the source), source being "twofold", "torchvision", "timm" or "own"."""
    source, _, inner = name.partition(":")
    if name in small.NAMES:
        return "twofold", name
    if is_own(name):
        return "own", name
    bare = inner or name
    if source == "timm" and inner:
        if from_timm.knows(bare):
            return "timm", bare
        raise UserError(f'timm has no network "{bare}".{nearest(bare, from_timm.names())}')
    known = from_torchvision.names()
    if bare in known:
        return "torchvision", bare
    if inner:
        raise UserError(f'torchvision has no network "{bare}".{nearest(bare, known)}')
    others = from_timm.names()
    if others and from_timm.knows(bare):
        return "timm", bare
    more = "" if others else " (timm has many more: pip install 'twofold[timm]')"
    raise UserError(f'There is no backbone "{name}"{more}.{nearest(name, [*small.NAMES, *known, *others])}')


def in_other_library(network: nn.Module, name: str, library: str) -> list[str] | None:
    """Lines that make the same ResNet in "torchvision" or "timm", or None: the two share classes, names and keys."""
    if type(network).__name__ != "ResNet" or library not in ("torchvision", "timm"):
        return None
    if library == "torchvision" and name in from_torchvision.names():
        made = f"model = torchvision.models.{name}()"
        return ["import torch, torchvision", made, "model.fc = torch.nn.Identity()"]
    if library == "timm" and name == "resnet10":
        made = "model = timm.models.resnet.ResNet(timm.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=0)"
        return ["import torch, timm", made]
    if library == "timm" and from_timm.knows(name):
        return ["import torch, timm", f"model = timm.create_model({name!r}, num_classes=0)"]
    return None
