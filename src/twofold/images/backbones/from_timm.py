"""Networks of timm, any name, without classifier."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.nets.features import Features
from twofold.pixels.backbones.built import Built, call
from twofold.pixels.batch import RGB


def timm() -> ModuleType:
    """The timm package, or the sentence that says how to get it."""
    try:
        import timm as package
    except ImportError as error:
        raise UserError("Networks of timm need the extra: pip install 'twofold[timm]'.") from error
    return package


def knows(name: str) -> bool:
    """Whether timm has a network of this name (a pretrained tag after a dot is part of a name)."""
    return bool(timm().is_model(name))


def names() -> list[str]:
    """Every network of timm, or none where timm is not installed."""
    try:
        return timm().list_models()
    except UserError:
        return []


def build(name: str, image_size: int, pretrained: bool, channels: int = RGB) -> Built:
    """A network of timm; networks of fixed input size (ViT, Swin, ...) are made for `image_size`. Pretrained weights
    are mapped to other channels than RGB by timm."""
    package = timm()
    settings: dict[str, Any] = {"num_classes": 0, "img_size": image_size}
    if channels != RGB:
        settings["in_chans"] = channels
    try:
        network = package.create_model(name, pretrained=pretrained, **settings)
    except TypeError:  # a convolutional network, which takes any size and has no such argument
        del settings["img_size"]
        network = package.create_model(name, pretrained=pretrained, **settings)
    except (AssertionError, ValueError) as error:
        raise UserError(f"timm's {name} does not take images of {image_size} px ({clause(error)}).") from error
    lines = ["import torch, timm", call("model = timm.create_model", repr(name), **settings)]
    state = dict(network.state_dict()) if pretrained else None
    return Built(network, partial(run, network.num_features), "timm", name, lines, state)


def run(channels: int, network: Any, x: Tensor) -> Features:
    """The map from forward_features and the pooled feature from forward_head before its classifier."""
    last = network.forward_features(x)
    pooled = network.forward_head(last, pre_logits=True)
    return Features(as_map(last, channels, getattr(network, "num_prefix_tokens", 0), x), pooled.flatten(1))


def as_map(last: Tensor | Any, channels: int, prefix: int, x: Tensor) -> Tensor | None:
    """timm's last output as (B, C, h, w): from NCHW, NHWC, or tokens on a grid of the images' shape; else None."""
    if not isinstance(last, torch.Tensor):
        return None
    if last.ndim == 4:
        return last if last.shape[1] == channels else last.permute(0, 3, 1, 2) if last.shape[3] == channels else None
    if last.ndim != 3 or last.shape[2] != channels:
        return None
    count = last.shape[1] - prefix
    rows = round((count * x.shape[2] / x.shape[3]) ** 0.5)
    if rows < 1 or count % rows:
        return None
    return last[:, prefix:].transpose(1, 2).unflatten(2, (rows, count // rows))
