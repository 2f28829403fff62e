"""Backbones as detection and segmentation libraries load them: their files, and the lines that load these."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import yaml
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.files import write_bytes, write_json, write_safetensors, write_text
from twofold.images.backbones import patches, yolo
from twofold.images.backbones.residual import (
    Residual,
    detectron2_names,
    read_residual,
    transformers_names,
)

SUFFIXES = {
    "detectron2": ".pkl",
    "mmdet": ".pth",
    "mmseg": ".pth",
    "smp": ".safetensors",
    "transformers": "",
    "ultralytics": ".safetensors",
}
_SMP = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d")


class Network(Protocol):
    """What a target needs of a backbone (images.backbones.Backbone has it)."""

    network: nn.Module
    image_size: int

    def blueprint(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Source:
    """A backbone on its way. mean, std: of its input, in [0, 1] units. about: what files with metadata say of it."""

    backbone: Network
    mean: Sequence[float]
    std: Sequence[float]
    about: Mapping[str, str]

    @property
    def state(self) -> dict[str, Tensor]:
        """The network's weights by its own names, each in memory of its own."""
        return {name: value.detach().cpu().clone() for name, value in self.backbone.network.state_dict().items()}

    def levels(self, values: Sequence[float]) -> list[float]:
        """Numbers in [0, 1] units as levels of 8 bits."""
        return [float(f"{255 * value:.6g}") for value in values]


@dataclass(frozen=True)
class Prepared:
    """write: makes the file (or folder) of this path, and what belongs beside it. lines: Python that loads it and, for
    a batch `x`, computes `map`, the last map, or `features`, the pooled ones. shape: of the ResNet, where it is one.
    """

    write: Callable[[Path], None]
    lines: Callable[[Path], list[str]]
    shape: Residual | None


def prepare(format: str, source: Source) -> Prepared:
    """What one of `SUFFIXES` takes. Raises UserError, with the remedy, for a network that it does not have."""
    return _TARGETS[format](source)


def _resnet(source: Source, format: str, named: bool = True) -> Residual:
    """The shape of a plain ResNet; named: one of the depths that have a name."""
    name, stem = source.backbone.blueprint()["name"], source.backbone.blueprint()["stem"]
    if stem in ("cifar", "stl"):
        raise UserError(
            f"{name} has the {stem} stem (3x3) and {format} builds ResNets with the imagenet stem (7x7): pretrain with "
            "--stem imagenet, or export it to torchvision, timm, safetensors or onnx."
        )
    found = read_residual(source.state)
    if found is None or (named and found.name is None):
        takes = "torchvision's ResNets of 18 to 152 layers" if named else "plain ResNets and plain vision transformers"
        raise UserError(
            f"{format} takes {takes}, and {name} is none: export it to the library it comes from, safetensors or onnx."
        )
    return found


def _not_wide(shape: Residual, format: str, why: str, unfit: bool) -> None:
    if unfit:
        raise UserError(f"{format} cannot build {shape.name} ({why}): export it to torchvision, timm or onnx.")


def _renamed(source: Source, names: Callable[[list[str]], dict[str, str]]) -> dict[str, Tensor]:
    state = source.state
    return {new: state[old] for old, new in names(list(state)).items()}


def _smp(source: Source) -> Prepared:
    shape = _resnet(source, "smp")
    _not_wide(shape, "smp", "it has no such encoder", shape.name not in _SMP)

    def lines(path: Path) -> list[str]:
        return [
            "import segmentation_models_pytorch as smp",
            "from safetensors.torch import load_file",
            f"model = smp.Unet({shape.name!r}, encoder_weights=None, classes=2)  # or another decoder, your classes",
            f"model.encoder.load_state_dict(load_file({str(path)!r}))",
            "model.eval()",
            "map = model.encoder(x)[-1]",
        ]

    return Prepared(lambda path: write_safetensors(path, source.state, source.about), lines, shape)


def _detectron2(source: Source) -> Prepared:
    shape = _resnet(source, "detectron2")

    def write(path: Path) -> None:
        # Its loader takes this form of file alone with names that need a prefix, and reads it by pickle.
        named = _renamed(source, detectron2_names).items()
        arrays = {name: value.numpy() for name, value in named if not name.endswith("num_batches_tracked")}
        whole = {"model": arrays, "__author__": "twofold", "matching_heuristics": True}
        write_bytes(path, pickle.dumps(whole, protocol=4))
        write_text(path.with_suffix(".yaml"), yaml.safe_dump(config(path), sort_keys=False, default_flow_style=None))

    def config(path: Path) -> dict[str, Any]:
        resnets = {
            "DEPTH": shape.depth,
            "STRIDE_IN_1X1": False,
            "NUM_GROUPS": shape.groups,
            "WIDTH_PER_GROUP": shape.width,
            "RES2_OUT_CHANNELS": shape.channels[0],
        }
        pixels = {"PIXEL_MEAN": source.levels(source.mean), "PIXEL_STD": source.levels(source.std)}
        return {
            "MODEL": {"WEIGHTS": str(path.resolve()), **pixels, "RESNETS": resnets},
            "INPUT": {"FORMAT": "RGB"},
            "VERSION": 2,
        }

    def lines(path: Path) -> list[str]:
        return [
            "from detectron2.checkpoint import DetectionCheckpointer",
            "from detectron2.config import get_cfg",
            "from detectron2.layers import ShapeSpec",
            "from detectron2.modeling import build_resnet_backbone",
            "cfg = get_cfg()  # for a detector: cfg.merge_from_file(its configuration) before the next line",
            f"cfg.merge_from_file({str(path.with_suffix('.yaml'))!r})",
            "cfg.MODEL.RESNETS.OUT_FEATURES = ['res5']  # for this check; leave it out for a detector",
            "model = build_resnet_backbone(cfg, ShapeSpec(channels=3))  # for a detector: build_model(cfg)",
            "DetectionCheckpointer(model).load(cfg.MODEL.WEIGHTS)",
            "model.eval()",
            "map = model(x)['res5']",
        ]

    return Prepared(write, lines, shape)


def _openmmlab(source: Source, format: str) -> Prepared:
    shape = _resnet(source, format)
    _not_wide(shape, format, "its ResNeXt of one group has the width of a ResNet", shape.wide and shape.groups == 1)

    def write(path: Path) -> None:  # its loader is torch.load and nothing else; the file holds tensors alone
        whole = io.BytesIO()
        torch.save(source.state, whole)
        write_bytes(path, whole.getvalue())

    def lines(path: Path) -> list[str]:
        kind = f"type='ResNeXt', groups={shape.groups}, base_width={shape.width}" if shape.wide else "type='ResNet'"
        pixels = f"mean={source.levels(source.mean)}, std={source.levels(source.std)}, bgr_to_rgb=True"
        warning = [
            "# many configurations of mmseg say ResNetV1c, whose stem has three convolutions: it would stay",
            "# untrained, with no more than a warning. Set type to the one below; keep dilations and strides.",
        ]
        return [
            *(warning if format == "mmseg" else []),
            f"pretrained = dict(type='Pretrained', checkpoint={str(path)!r})",
            f"backbone = dict({kind}, depth={shape.depth}, style='pytorch', init_cfg=pretrained)",
            f"# in a configuration: model = dict(backbone=backbone, data_preprocessor=dict({pixels}))",
            f"from {format}.registry import MODELS",
            f"from {format}.utils import register_all_modules",
            "register_all_modules()",
            "model = MODELS.build(backbone)",
            "model.init_weights()",
            "model.eval()",
            "map = model(x)[-1]",
        ]

    return Prepared(write, lines, shape)


def _transformers(source: Source) -> Prepared:
    about = {key: value for key, value in source.about.items() if key != "backbone"}

    def writes(config: dict[str, Any], state: dict[str, Tensor]) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            write_safetensors(path / "model.safetensors", state, about)
            write_json(path / "config.json", config)

        return write

    state = patches.transformers_state(source.state)
    config = state and patches.transformers_config(source.backbone.network, state, source.backbone.image_size)
    if state and config:
        return Prepared(writes(config, patches.filled_up(state)), _vit_lines, None)
    shape = _resnet(source, "transformers", named=False)
    _not_wide(shape, "transformers", "its ResNet has neither groups nor another width", shape.wide)
    config = {
        "architectures": ["ResNetModel"],
        "model_type": "resnet",
        "num_channels": 3,
        "embedding_size": 64,
        "hidden_sizes": shape.channels,
        "depths": list(shape.blocks),
        "layer_type": "bottleneck" if shape.bottleneck else "basic",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    return Prepared(writes(config, _renamed(source, transformers_names)), _resnet_lines, shape)


def _vit_lines(path: Path) -> list[str]:
    return [
        "from transformers import ViTModel",
        f"model = ViTModel.from_pretrained({str(path)!r}, add_pooling_layer=False)",
        "model.eval()",
        "features = model(x).last_hidden_state[:, 0]",
    ]


def _resnet_lines(path: Path) -> list[str]:
    return [
        "from transformers import ResNetBackbone, ResNetModel",
        f"model = ResNetModel.from_pretrained({str(path)!r})",
        f"maps = ResNetBackbone.from_pretrained({str(path)!r}, out_features=['stage2', 'stage3', 'stage4'])",
        "model.eval(), maps.eval()",
        "features = model(x).pooler_output.flatten(1)",
        "map = maps(x).feature_maps[-1]",
    ]


def _ultralytics(source: Source) -> Prepared:
    shape = _resnet(source, "ultralytics")
    about = {key: value for key, value in source.about.items() if key != "backbone"}

    def write(path: Path) -> None:
        renamed = _renamed(source, yolo.names)
        write_safetensors(path, {**yolo.normalising(source.mean, source.std), **renamed}, about)
        config = yaml.safe_dump(yolo.detector(shape), sort_keys=False, default_flow_style=None)
        write_text(path.with_suffix(".yaml"), config)

    return Prepared(write, yolo.train_lines, shape)


_TARGETS: dict[str, Callable[[Source], Prepared]] = {
    "detectron2": _detectron2,
    "mmdet": lambda source: _openmmlab(source, "mmdet"),
    "mmseg": lambda source: _openmmlab(source, "mmseg"),
    "smp": _smp,
    "transformers": _transformers,
    "ultralytics": _ultralytics,
}
