"""Networks of torchvision.models, classifier removed, with the last map in reach."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, clause
from twofold.nets.features import Features
from twofold.pixels.backbones.built import Built, call


@dataclass(frozen=True)
class Family:
    """How to run one class of network: the children that make the map, in order, and the Python that removes the head.

    head: (attribute path, constructor text) pairs. tail: the child that still normalises after pooling, or None.
    relu: the network's forward applies a last ReLU that is no child.
    """

    stages: tuple[str, ...]
    head: tuple[tuple[str, str], ...]
    tail: str | None = None
    relu: bool = False


_IDENTITY, _POOL = "torch.nn.Identity()", "torch.nn.AdaptiveAvgPool2d(1)"
_INCEPTION = (
    "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 maxpool1 Conv2d_3b_1x1 Conv2d_4a_3x3 maxpool2 "
    "Mixed_5b Mixed_5c Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e Mixed_7a Mixed_7b Mixed_7c"
)
_GOOGLENET = (
    "conv1 maxpool1 conv2 conv3 maxpool2 inception3a inception3b maxpool3 inception4a inception4b inception4c "
    "inception4d inception4e maxpool4 inception5a inception5b"
)


def _family(stages: str, head: str, tail: str | None = None, relu: bool = False) -> Family:
    return Family(tuple(stages.split()), ((head, _IDENTITY),), tail, relu)


FAMILIES = {
    "ResNet": _family("conv1 bn1 relu maxpool layer1 layer2 layer3 layer4", "fc"),
    "RegNet": _family("stem trunk_output", "fc"),
    "DenseNet": _family("features", "classifier", relu=True),
    "EfficientNet": _family("features", "classifier"),
    "MobileNetV2": _family("features", "classifier"),
    "MobileNetV3": _family("features", "classifier"),
    "MNASNet": _family("layers", "classifier"),
    "ShuffleNetV2": _family("conv1 maxpool stage2 stage3 stage4 conv5", "fc"),
    "ConvNeXt": _family("features", "classifier.2", tail="classifier"),
    "SwinTransformer": _family("features norm permute", "head"),
    "MaxVit": _family("stem blocks", "classifier.5", tail="classifier"),
    "VisionTransformer": _family("", "heads"),
    "GoogLeNet": _family(_GOOGLENET, "fc"),
    "Inception3": _family(_INCEPTION, "fc"),
    "VGG": Family(("features",), (("avgpool", _POOL), ("classifier", _IDENTITY))),
    "AlexNet": Family(("features",), (("avgpool", _POOL), ("classifier", _IDENTITY))),
    "SqueezeNet": Family(("features",), (("classifier", _POOL),)),
}


def torchvision() -> ModuleType:
    """The torchvision package, imported late because it costs 0.7 s."""
    try:
        import torchvision as package
        import torchvision.models
    except Exception as error:
        found = {name: _version(name) for name in ("torch", "torchvision")}
        raise UserError(
            f"torchvision {found['torchvision']} does not work with torch {found['torch']}; "
            f"install the pair that belongs together ({type(error).__name__}: {clause(error)})."
        ) from error
    return package


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def names() -> list[str]:
    """Every classification network of torchvision."""
    package = torchvision()
    return package.models.list_models(module=package.models)


def build(name: str, image_size: int, pretrained: bool) -> Built:
    """A network of torchvision by name, its classifier replaced so that the pooled feature comes out."""
    models = torchvision().models
    builder = models.get_model_builder(name)
    settings: dict[str, Any] = {}
    if name.startswith("vit_"):
        settings["image_size"] = image_size
    if name.startswith("maxvit"):
        settings["input_size"] = (image_size, image_size)
    if name in ("googlenet", "inception_v3"):
        settings |= {"aux_logits": False, "init_weights": True}
    try:
        network = builder(**settings)
    except (ValueError, AssertionError) as error:
        raise UserError(f"{name} does not take images of {image_size} px ({clause(error)}).") from error
    family = FAMILIES[type(network).__name__]
    lines = ["import torch, torchvision", call(f"model = torchvision.models.{name}", **settings)]
    lines += remove_head(network, family)
    state = models.get_model_weights(name).DEFAULT.get_state_dict(progress=True) if pretrained else None
    return Built(network, partial(run_family, family), "torchvision", name, lines, state)


def build_resnet10() -> Built:
    """torchvision's ResNet with one BasicBlock in each of the four stages: 4.9 M parameters, 512 features."""
    resnet = torchvision().models.resnet
    network = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1])
    make = "model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])"
    lines = ["import torch, torchvision", make, *remove_head(network, FAMILIES["ResNet"])]
    return Built(network, partial(run_family, FAMILIES["ResNet"]), "torchvision", "resnet10", lines)


def remove_head(network: nn.Module, family: Family) -> list[str]:
    """Replace the classifier in place; returns the Python lines that do the same to `model`."""
    lines = []
    for path, text in family.head:
        parent, _, child = path.rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Identity() if text is _IDENTITY else nn.AdaptiveAvgPool2d(1))
        lines.append(f"model.{parent}[{child}] = {text}" if child.isdigit() else f"model.{path} = {text}")
    return lines


def run_family(family: Family, network: nn.Module, x: Tensor) -> Features:
    """The map and the pooled feature; `pooled` equals network(x)."""
    if not family.stages:
        return _run_vit(network, x)
    for stage in family.stages:
        child = network.get_submodule(stage)
        for module in child if isinstance(child, nn.ModuleList) else (child,):
            x = module(x)
    if family.relu:
        x = F.relu(x)
    if family.tail:
        return Features(x, network.get_submodule(family.tail)(F.adaptive_avg_pool2d(x, 1)).flatten(1))
    return Features(x, F.adaptive_avg_pool2d(x, 1).flatten(1))


def _run_vit(network: Any, x: Tensor) -> Features:
    tokens = network._process_input(x)
    tokens = network.encoder(torch.cat([network.class_token.expand(len(x), -1, -1), tokens], 1))
    grid = tokens[:, 1:].transpose(1, 2).unflatten(2, (x.shape[2] // network.patch_size, -1))
    return Features(grid, tokens[:, 0])
