"""The settings of the real protocols by name: those of the papers with their exact numbers, and one for a laptop."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, TypeVar

from twofold.errors import UserError, nearest

TRAINABLE_FROM = 8  # images of a batch on one device, from which on batch norm learns its statistics in training


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What every protocol's training has. batch: images a step. lr: for that batch."""

    name: str
    iterations: int
    batch: int
    lr: float
    weight_decay: float
    momentum: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Detection(Preset):
    """A detector's training and test; sizes in pixels.

    drops: steps after which the rate is a tenth. warmup: steps in which it rises from a thousandth. short_sides: of the
    pictures, one drawn for each in training, the last in the test. long_side: at most. crop: half of the pictures are
    cut to a window of at least this share of each side; 1 for never. head: "fpn", or "c4", whose box head is the
    backbone's last stage with an extra batch norm. anchors: sides. channels: of the pyramid. convolutions: of the box
    head. norms: batch norm in pyramid and heads. rpn_batch, roi_batch: boxes an image that are learned from. before,
    after: proposals kept before and after suppression, (training, test). calibration: images whose statistics
    batch norm gets before the test, or, where the batch is small, before the training.
    """

    head: Literal["fpn", "c4"]
    drops: tuple[int, ...]
    warmup: int
    short_sides: tuple[int, ...]
    long_side: int
    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)
    channels: int = 256
    convolutions: int = 0
    hidden: int = 1024
    norms: bool = False
    rpn_batch: int = 256
    roi_batch: int = 512
    before: tuple[int, int] = (2000, 1000)
    after: tuple[int, int] = (1000, 1000)
    calibration: int = 3200
    crop: float = 1.0

    def rate(self, step: int) -> float:
        """The learning rate of a step counted from 0."""
        rise = 1.0 if step >= self.warmup else 0.001 + 0.999 * step / self.warmup
        return self.lr * rise * 0.1 ** sum(step >= drop for drop in self.drops)


@dataclass(frozen=True, kw_only=True)
class Segmentation(Preset):
    """A segmenter's training and test; sizes in pixels.

    scale: (long, short) side that pictures are made to fit in, keeping their shape; times a number of `ratios` in
    training. crop: side of the training windows. stride: pixels a cell of the last map. head: "torchvision", a single
    convolution, or "reference", two of 512 channels joined with their input. auxiliary: weight of the loss of a head on
    the stage before the last. window: (side, step) of the sliding test, or None for the whole picture. The rate falls
    to `least` by a power of 0.9.
    """

    crop: int
    scale: tuple[int, int]
    ratios: tuple[float, float] = (0.5, 2.0)
    stride: int = 8
    head: Literal["torchvision", "reference"] = "reference"
    auxiliary: float = 0.4
    align_corners: bool = False
    window: tuple[int, int] | None = None
    least: float = 1e-4
    power: float = 0.9

    def rate(self, step: int) -> float:
        """The learning rate of a step counted from 0."""
        return max(self.lr - self.least, 0.0) * (1 - step / self.iterations) ** self.power + min(self.least, self.lr)


DETECTION = {
    preset.name: preset
    for preset in (
        Detection(
            name="quick",
            head="fpn",
            iterations=200,
            batch=8,
            lr=0.01,
            weight_decay=1e-4,
            drops=(160,),
            warmup=40,
            short_sides=(320,),
            long_side=533,
            anchors=(16, 32, 64, 128, 256),
            channels=128,
            hidden=512,
            roi_batch=128,
            before=(500, 500),
            after=(300, 300),
            calibration=160,
            crop=0.6,
        ),
        Detection(
            name="voc-c4-24k",
            head="c4",
            iterations=24_000,
            batch=16,
            lr=0.02,
            weight_decay=1e-4,
            drops=(18_000, 22_000),
            warmup=100,
            short_sides=tuple(range(480, 801, 32)),
            long_side=1333,
            norms=True,
            before=(12_000, 6000),
            after=(2000, 1000),
        ),
        Detection(
            name="coco-fpn-1x",
            head="fpn",
            iterations=90_000,
            batch=16,
            lr=0.02,
            weight_decay=1e-4,
            drops=(60_000, 80_000),
            warmup=1000,
            short_sides=tuple(range(640, 801, 32)),
            long_side=1333,
            convolutions=4,
            norms=True,
        ),
    )
}

SEGMENTATION = {
    preset.name: preset
    for preset in (
        Segmentation(
            name="quick",
            iterations=200,
            batch=8,
            lr=0.02,
            weight_decay=5e-4,
            crop=256,
            scale=(1280, 320),
            ratios=(0.75, 1.5),
            stride=16,
            head="torchvision",
            auxiliary=0.0,
        ),
        Segmentation(
            name="densecl-voc-20k",
            iterations=20_000,
            batch=16,
            lr=0.01,
            weight_decay=5e-4,
            crop=512,
            scale=(2048, 512),
        ),
        Segmentation(
            name="cityscapes",
            iterations=40_000,
            batch=8,
            lr=0.01,
            weight_decay=5e-4,
            crop=769,
            scale=(2049, 1025),
            align_corners=True,
            window=(769, 513),
        ),
    )
}

PRESETS = tuple(dict.fromkeys([*DETECTION, *SEGMENTATION]))
DETECTORS, SEGMENTERS = ("faster-rcnn", "mask-rcnn"), ("fcn", "deeplabv3")
PROTOCOLS = (*DETECTORS, *SEGMENTERS)

P = TypeVar("P", bound=Preset)


def preset_named(name: str, protocol: str) -> Detection | Segmentation:
    """The preset of a protocol. Raises UserError where the protocol has none of this name."""
    known: dict[str, Detection] | dict[str, Segmentation] = DETECTION if protocol in DETECTORS else SEGMENTATION
    if name not in known:
        raise UserError(f'{protocol} has no preset "{name}".{nearest(name, known)} It has: {", ".join(known)}.')
    return known[name]


def changed(preset: P, *, iterations: int | None = None, batch: int | None = None) -> P:
    """The preset for another length or batch: steps of its schedule move in proportion to the iterations (the warm-up
    takes up to a fifth of them), and the rate grows in proportion to the batch."""
    share = (iterations or preset.iterations) / preset.iterations
    size = batch or preset.batch
    preset = replace(preset, iterations=iterations or preset.iterations, batch=size, lr=preset.lr * size / preset.batch)
    if isinstance(preset, Detection):
        drops = tuple(round(drop * share) for drop in preset.drops)
        # A short run does not begin at full rate: it needs some steps to rise, whatever its share of the schedule.
        warmup = min(preset.warmup, max(round(preset.warmup * share), preset.iterations // 5))
        preset = replace(preset, drops=drops, warmup=warmup)
    return preset


def resized(preset: P, side: int | None) -> P:
    """The preset for pictures of another short side; anchors stay, windows shrink or grow alike."""
    if side is None:
        return preset
    if isinstance(preset, Detection):
        long_side = round(side * preset.long_side / preset.short_sides[-1])
        return replace(preset, short_sides=(side,), long_side=long_side)
    assert isinstance(preset, Segmentation)
    share = side / preset.scale[1]
    window = preset.window and (round(preset.window[0] * share), round(preset.window[1] * share))
    scale, crop = (round(preset.scale[0] * share), side), round(preset.crop * share)
    return replace(preset, scale=scale, crop=crop, window=window)


def deviations(preset: Preset, usual: Preset) -> list[str]:
    """What of a preset is not as published, in words."""
    names = {"short_sides": "short sides", "scale": "short side", "lr": "rate"}
    derived = ("drops", "warmup", "window", "long_side")
    return [
        f"{names.get(field.name, field.name)} {_said(field.name, preset)} instead of {_said(field.name, usual)}"
        for field in fields(preset)
        if field.name not in derived and getattr(preset, field.name) != getattr(usual, field.name)
    ]


def _said(name: str, preset: Preset) -> str:
    value = getattr(preset, name)
    if isinstance(value, tuple):
        value = value[1:] if name == "scale" else value
        return "-".join(f"{part:g}" for part in dict.fromkeys((value[0], value[-1])))
    return f"{value:g}" if isinstance(value, float | int) else str(value)
