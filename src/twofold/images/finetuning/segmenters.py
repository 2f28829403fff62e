"""FCN and DeepLabV3 over a backbone: dilated stages, the heads of torchvision and of DenseCL's evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from twofold.images.finetuning.bodies import Body, Start, body_of, dilate
from twofold.images.finetuning.detectors import Input
from twofold.images.finetuning.presets import Segmentation

ATROUS = (12, 24, 36)  # of DeepLabV3 at 8 pixels a cell


class ReferenceHead(nn.Module):
    """Convolutions of `width` channels, with batch norm, joined with their input in another: (B, C, h, w) -> logits.

    join: whether the input is joined; convolutions: how many before that.
    """

    def __init__(self, channels: int, classes: int, width: int = 512, convolutions: int = 2, join: bool = True) -> None:
        super().__init__()
        widths = [channels, *[width] * convolutions]
        self.convolutions = nn.Sequential(*(_convolution(a, b) for a, b in pairwise(widths)))
        self.joined = _convolution(channels + width, width) if join else None
        self.dropout, self.classify = nn.Dropout2d(0.1), nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.convolutions(x)
        if self.joined is not None:
            found = self.joined(torch.cat([x, found], 1))
        return self.classify(self.dropout(found))


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Segmenter(nn.Module):
    """Body, head and the auxiliary head of training; (B, 3, H, W) normalised -> logits (B, classes, H, W).

    auxiliary: on the stage before the last, or None where the preset or the backbone has none.
    """

    def __init__(self, body: Body, head: nn.Module, auxiliary: nn.Module | None, preset: Segmentation) -> None:
        super().__init__()
        self.body, self.head, self.auxiliary, self.preset = body, head, auxiliary, preset

    def forward(self, x: Tensor) -> Tensor:
        return self._enlarged(self.head(list(self.body(x).values())[-1]), x)

    def loss(self, x: Tensor, truth: Tensor) -> Tensor:
        """Cross entropy over the pixels that count (truth int64 (B, H, W), negative: ignored), 0 where none does."""
        maps = list(self.body(x).values())
        loss = _cross_entropy(self._enlarged(self.head(maps[-1]), x), truth)
        if self.auxiliary is not None:
            loss = loss + self.preset.auxiliary * _cross_entropy(self._enlarged(self.auxiliary(maps[-2]), x), truth)
        return loss

    def _enlarged(self, logits: Tensor, x: Tensor) -> Tensor:
        """Logits at the size of the pictures; cells of their padding cut off."""
        high, wide = x.shape[2:]
        size = (high + -high % self.body.cell, wide + -wide % self.body.cell)  # what the map covers
        return enlarge(logits, size, self.preset.align_corners)[:, :, :high, :wide]


def enlarge(logits: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Bilinear, to (height, width)."""
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    total = F.cross_entropy(logits, truth, ignore_index=-1, reduction="sum")
    return total / (truth >= 0).sum().clamp(min=1)


def build_segmenter(protocol: str, start: Start, preset: Segmentation, classes: int, given: Input) -> Segmenter:
    """The segmenter of "fcn" or "deeplabv3", in training mode; new layers draw from torch's own generator."""
    body = body_of(start, given.precision)
    dilate(body, preset.stride)
    widths, stride = list(body.channels.values()), list(body.strides.values())[-1]
    if protocol == "deeplabv3":
        rates = tuple(max(rate * 8 // stride, 1) for rate in ATROUS)
        head: nn.Module = DeepLabHead(widths[-1], classes, rates)
    elif preset.head == "reference":
        head = ReferenceHead(widths[-1], classes)
    else:
        head = FCNHead(widths[-1], classes)
    auxiliary = None
    if preset.auxiliary and len(widths) > 1:
        auxiliary = ReferenceHead(widths[-2], classes, 256, 1, join=False)
    return Segmenter(body, head, auxiliary, preset).train()


def answer(model: Segmenter, picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The classes of one picture at the size of its mask: float (1, 3, H, W) normalised -> int64 size.

    Logits are enlarged to that size before the class is chosen. With a window, those of overlapping windows are
    averaged.
    """
    logits = model(picture) if model.preset.window is None else _slid(model, picture, *model.preset.window)
    return enlarge(logits, size, model.preset.align_corners).argmax(1)[0]


def _slid(model: Segmenter, picture: Tensor, side: int, step: int) -> Tensor:
    high, wide = picture.shape[2:]
    total, count = None, picture.new_zeros(1, 1, high, wide)
    for top in _places(high, side, step):
        for left in _places(wide, side, step):
            part = (..., slice(top, top + side), slice(left, left + side))
            logits = model(picture[part])
            total = logits.new_zeros(1, logits.shape[1], high, wide) if total is None else total
            total[part] += logits
            count[part] += 1
    assert total is not None
    return total / count


def _places(length: int, side: int, step: int) -> Iterator[int]:
    """Where windows begin: every `step` pixels, the last at the end."""
    last = max(length - side, 0)
    yield from range(0, last, step)
    yield last
