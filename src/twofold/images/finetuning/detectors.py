"""Torchvision's Faster and Mask R-CNN over a backbone: feature pyramid (FPN), or the backbone's last stage as the head
(C4) with the extra batch norm of MoCo's and DenseCL's evaluations."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from twofold.errors import UserError
from twofold.images.finetuning.bodies import Body, Stages, Start, body_of, is_residual, load
from twofold.images.finetuning.presets import Detection

RATIOS = (0.5, 1.0, 2.0)
FINEST = 4  # pixels a cell of the finest map in a pyramid


@dataclass(frozen=True)
class Input:
    """What a model is shown. mean, std: of RGB in 0..1. precision: "fp32" or "bf16", of the body."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    precision: str = "fp32"


def build_detector(start: Start, preset: Detection, classes: int, *, masks: bool, cap: int, given: Input) -> nn.Module:
    """The detector, in training mode; new layers draw from torch's own generator. cap: detections an image.

    Its pictures are RGB in 0..1 of any size, which its own transform normalises and resizes as the preset says.
    """
    make = _pyramid if preset.head == "fpn" else _last_stage
    backbone, parts = make(start, preset, classes + 1, masks, given)
    settings = {
        "min_size": preset.short_sides,
        "max_size": preset.long_side,
        "image_mean": list(given.mean),
        "image_std": list(given.std),
        "rpn_pre_nms_top_n_train": preset.before[0],
        "rpn_pre_nms_top_n_test": max(preset.before[1], cap),
        "rpn_post_nms_top_n_train": preset.after[0],
        "rpn_post_nms_top_n_test": max(preset.after[1], cap),
        "rpn_batch_size_per_image": preset.rpn_batch,
        "box_batch_size_per_image": preset.roi_batch,
        "box_detections_per_img": cap,
        "size_divisible": math.lcm(32, backbone.body.cell),
    }
    return (MaskRCNN if masks else FasterRCNN)(backbone, **settings, **parts).train()


class Pyramid(nn.Module):
    """A body with a feature pyramid over its maps: pictures -> maps "0" (finest), "1", ... of `out_channels`."""

    def __init__(self, body: Body, levels: int, channels: int, norm: Callable[..., nn.Module] | None) -> None:
        super().__init__()
        self.body, self.out_channels = body, channels
        fine = [name for name, stride in body.strides.items() if stride >= FINEST]
        self.names = fine or list(body.strides)[-1:]
        widths = [body.channels[name] for name in self.names]
        coarser = _Coarser(max(levels - len(widths), 0))
        self.fpn = FeaturePyramidNetwork(widths, channels, extra_blocks=coarser, norm_layer=norm)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        maps = self.body(x)
        taken = [_at_power_of_two(maps[name], x, self.body.strides[name]) for name in self.names]
        return self.fpn(OrderedDict((str(i), one) for i, one in enumerate(taken)))


def _at_power_of_two(one: Tensor, x: Tensor, stride: int) -> Tensor:
    """A map at the power of two that is nearest to its stride, which torchvision takes every stride for."""
    power = 2 ** round(math.log2(stride))
    return one if power == stride else F.interpolate(one, size=[side // power for side in x.shape[2:]], mode="bilinear")


class _Coarser(ExtraFPNBlock):
    """Coarser maps from the coarsest, each by leaving out every second cell."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, maps: list[Tensor], given: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        for _ in range(self.count):
            maps.append(F.max_pool2d(maps[-1], 1, 2))
            names.append(str(len(names)))
        return maps, names


def _pyramid(
    start: Start, preset: Detection, outputs: int, masks: bool, given: Input
) -> tuple[Pyramid, dict[str, Any]]:
    levels, channels = len(preset.anchors), preset.channels
    norm = nn.BatchNorm2d if preset.norms else None
    backbone = Pyramid(body_of(start, given.precision), levels, channels, norm)
    if preset.convolutions:
        widths = [channels] * preset.convolutions
        box_head: nn.Module = FastRCNNConvFCHead((channels, 7, 7), widths, [preset.hidden], norm_layer=norm)
    else:
        box_head = TwoMLPHead(channels * 49, preset.hidden)
    seen = [str(level) for level in range(levels - 1)]
    parts: dict[str, Any] = {
        "rpn_anchor_generator": AnchorGenerator(tuple((side,) for side in preset.anchors), (RATIOS,) * levels),
        "box_roi_pool": MultiScaleRoIAlign(seen, 7, sampling_ratio=2),
        "box_head": box_head,
        "box_predictor": FastRCNNPredictor(preset.hidden, outputs),
    }
    if masks:
        parts |= {
            "mask_roi_pool": MultiScaleRoIAlign(seen, 14, sampling_ratio=2),
            "mask_head": MaskRCNNHeads(channels, (channels,) * 4, 1, norm_layer=norm),
            "mask_predictor": MaskRCNNPredictor(channels, channels, outputs),
        }
    return backbone, parts


class OneMap(nn.Module):
    """A body's last map alone."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        self.out_channels = list(body.channels.values())[-1]

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict([("0", list(self.body(x).values())[-1])])


class Stage(nn.Module):
    """The last stage of a ResNet on regions, and an extra batch norm: (R, C, 14, 14) -> (R, C', 7, 7)."""

    def __init__(self, layer4: nn.Module, width: int) -> None:
        super().__init__()
        self.layer4, self.norm = layer4, nn.BatchNorm2d(width)

    def forward(self, regions: Tensor) -> Tensor:
        return self.norm(self.layer4(regions))


class Averaged(nn.Module):
    """A stage's mean over the cells: (R, C')."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, regions: Tensor) -> Tensor:
        return self.stage(regions).mean((2, 3))


def _last_stage(
    start: Start, preset: Detection, outputs: int, masks: bool, given: Input
) -> tuple[OneMap, dict[str, Any]]:
    if not is_residual(start.backbone):
        raise UserError(
            f"{preset.name} needs a ResNet, whose last stage becomes the head, and the backbone is "
            f"{start.backbone.name}: use --preset quick or coco-fpn-1x."
        )
    inner = Stages(start.backbone.network)
    load(inner, start.state, start.origin)
    stage = Stage(inner.get_submodule("layer4"), start.backbone.width)
    parts: dict[str, Any] = {
        "rpn_anchor_generator": AnchorGenerator((preset.anchors,), (RATIOS,)),
        "box_roi_pool": MultiScaleRoIAlign(["0"], 14, sampling_ratio=0),
        "box_head": Averaged(stage),
        "box_predictor": FastRCNNPredictor(start.backbone.width, outputs),
    }
    if masks:
        parts |= {
            "mask_roi_pool": MultiScaleRoIAlign(["0"], 14, sampling_ratio=0),
            "mask_head": stage,
            "mask_predictor": MaskRCNNPredictor(start.backbone.width, 256, outputs),
        }
    return OneMap(body_of(start, given.precision, last="layer3")), parts
