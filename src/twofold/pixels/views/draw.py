"""What an augmentation does to each image: random parameters, as a record that the fast and the exact path follow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.pixels.views.augmentations import (
    Augmentation,
    Blur,
    Channel,
    Clip,
    Crop,
    Flip,
    Grey,
    Jitter,
    Normalise,
    Operation,
    Rotate,
    Solarise,
    Sway,
    Window,
)
from twofold.randomness import uniforms
from twofold.seam import Geometry

TRIES = 10
# Uniform numbers that each operation takes for one image; the first decides whether it is applied (but for the crop).
_NUMBERS = {Crop: 2 * TRIES + 2, Window: 3, Rotate: 1, Flip: 1, Jitter: 6, Grey: 1, Channel: 2, Blur: 2, Solarise: 1}
_NUMBERS |= {Sway: 8}
# The 24 orders of brightness 0, contrast 1, saturation 2, hue 3; entry 0 is the fixed one.
ORDERS: tuple[tuple[int, ...], ...] = tuple(itertools.permutations(range(4)))


@dataclass(frozen=True)
class Drawn:
    """One operation of one view, with what was drawn for each image.

    applied: bool (B,). values: float32 (B, k), by operation: Crop left, top, width, height (whole source pixels);
    Rotate degrees counterclockwise;
    Jitter factors of brightness, contrast, saturation, hue shift in turns, position in ORDERS; Blur sigma in pixels, or
    the position in its factors;
    Grey 1, the share of luma; Channel 0, 1 or 2; Sway factor and
    addend, then those of a clip's last frame; Solarise threshold; k = 0 for the others.
    """

    op: Operation
    applied: Tensor
    values: Tensor

    def rows(self, rows: Tensor | slice) -> Drawn:
        """The record of some images."""
        return Drawn(self.op, self.applied[rows], self.values[rows])

    @staticmethod
    def joined(records: Sequence[Drawn]) -> Drawn:
        """One record for the images of several, all of one kind of operation."""
        values = torch.cat([record.values for record in records])
        return Drawn(records[0].op, torch.cat([record.applied for record in records]), values)


Draws = tuple[Drawn, ...]


def draw(augmentation: Augmentation, index: Tensor, size: Tensor, seed: int, epoch: int, count: int = 2) -> list[Draws]:
    """The draws of `count` views: a function of (seed, epoch, index, view, operation) and nothing else.

    index: int64 (B,), size: int64 (B, 2), height and width of the sources. The distributions are torchvision's
    (RandomResizedCrop, ColorJitter, RandomApply). Returns one tuple of records a view, on the device of `index`.
    """
    views = []
    for number in range(count):
        ops = augmentation.view(number)
        needs = [_NUMBERS.get(type(op), 0) for op in ops]
        # One call for all operations: its cost hardly depends on how many they take.
        *numbers, last = uniforms(index, sum(needs) + 1, seed, "views", epoch, number).split([*needs, 1], 1)
        drawn = tuple(_draw(op, size, own) for op, own in zip(ops, numbers, strict=True))
        views.append(drawn if augmentation.share == 1 else _among(drawn, last[:, 0] < augmentation.share))
    return views


def _among(steps: Draws, chosen: Tensor) -> Draws:
    """The steps for the chosen images, cutting, mirroring and normalising for all."""
    return tuple(
        step
        if isinstance(step.op, (Crop, Flip, Clip, Normalise))
        else replace(step, applied=step.applied & chosen, values=_unturned(step, chosen))
        for step in steps
    )


def _unturned(step: Drawn, chosen: Tensor) -> Tensor:
    return step.values * chosen[:, None] if isinstance(step.op, Rotate) else step.values


def geometry(draws: Draws, size: Tensor) -> Geometry:
    """Where the view that was drawn lies in its sources of `size` (B, 2)."""
    crop = next(step for step in draws if isinstance(step.op, Crop))
    left, top, width, height = crop.values.unbind(1)
    return Geometry(torch.stack([left, top, left + width, top + height], 1), flips(draws), size.float())


def side_of(draws: Draws, size: int) -> int:
    """The side of a drawn view in pixels, where the run's images are of `size`."""
    return next(step.op.pixels(size) for step in draws if isinstance(step.op, Crop))


def flips(draws: Draws) -> Tensor:
    """bool (B,): which images are mirrored."""
    for step in draws:
        if isinstance(step.op, Flip):
            return step.applied
    return torch.zeros_like(draws[0].applied)


def _draw(op: Operation, size: Tensor, numbers: Tensor) -> Drawn:
    everywhere = torch.ones(len(numbers), dtype=torch.bool, device=numbers.device)
    nothing = numbers[:, :0]
    if isinstance(op, Window):
        return Drawn(op, everywhere, _window(op, size, numbers))
    if isinstance(op, Rotate):
        return Drawn(op, everywhere, op.degrees * (2 * numbers - 1))
    if isinstance(op, Crop):
        return Drawn(op, everywhere, _box(op, size, numbers))
    if isinstance(op, (Clip, Normalise)):
        return Drawn(op, everywhere, nothing)
    if isinstance(op, Sway):
        values = _sway(op, numbers)
        return Drawn(op, (values != values.new_tensor([1, 0, 1, 0])).any(1), values)
    applied = numbers[:, 0] < op.p
    if isinstance(op, Jitter):
        spans = [(max(0.0, 1 - x), 1 + x) for x in (op.brightness, op.contrast, op.saturation)] + [(-op.hue, op.hue)]
        factors = [low + (high - low) * numbers[:, 1 + i] for i, (low, high) in enumerate(spans)]
        drawn = (numbers[:, 5] * len(ORDERS)).floor()
        order = drawn if op.order == "random" else torch.zeros_like(drawn)
        return Drawn(op, applied, torch.stack([*factors, order], 1))
    if isinstance(op, Blur) and op.factors:
        return Drawn(op, applied, (len(op.factors) * numbers[:, 1:]).floor())
    if isinstance(op, Blur):
        return Drawn(op, applied, op.sigma[0] + (op.sigma[1] - op.sigma[0]) * numbers[:, 1:])
    if isinstance(op, Solarise):
        return Drawn(op, applied, torch.full_like(numbers, op.threshold))
    if isinstance(op, Grey):
        return Drawn(op, applied, torch.ones_like(numbers))
    if isinstance(op, Channel):
        return Drawn(op, applied, channels(numbers[:, 1:]))
    return Drawn(op, applied, nothing)


def _sway(op: Sway, numbers: Tensor) -> Tensor:
    """Factor and addend at the first frame, then at the last."""
    ends = []
    for own, reach in ((numbers[:, :4], op.contrast), (numbers[:, 4:], op.brightness)):
        first, last = (reach * (2 * own[:, 2:] - 1)).unbind(1)
        ends.append((own[:, :1] < op.p) * torch.stack([first, torch.where(own[:, 1] < 0.5, first, last)], 1))
    factor, addend = ends
    return torch.stack([1 + factor[:, 0], addend[:, 0], 1 + factor[:, 1], addend[:, 1]], 1)


def first_true(fits: Tensor) -> Tensor:
    """The place of the first true value along the last axis, which stays, of length 1; 0 where there is none."""
    return (fits * torch.arange(fits.shape[-1], 0, -1, device=fits.device)).argmax(-1, keepdim=True)


def channels(numbers: Tensor) -> Tensor:
    """Channels 0, 1 or 2 of numbers in [0, 1)."""
    return (3 * numbers).floor()


def _window(op: Window, size: Tensor, numbers: Tensor) -> Tensor:
    """A square of a drawn share of the short side, anywhere: left, top, width, height in whole pixels."""
    shares = torch.tensor(op.shares, device=numbers.device)
    share = shares[(numbers[:, 0] * len(op.shares)).long()]
    side = (size.amin(1) * share).round().clamp(min=1)
    top, left = (((size - side.long()[:, None] + 1) * numbers[:, 1:]).floor()).unbind(1)
    return torch.stack([left, top, side, side], 1)


def _box(op: Crop, size: Tensor, numbers: Tensor) -> Tensor:
    """torchvision's RandomResizedCrop for all images at once: ten tries, the first that fits, else a central crop.

    In float64 where the device has it, so that rounding to whole pixels does not depend on the device.
    """
    precise = torch.float32 if numbers.device.type == "mps" else torch.float64
    numbers, (high, wide) = numbers.to(precise), size.to(precise).unbind(1)
    area = (high * wide)[:, None] * (op.area[0] + (op.area[1] - op.area[0]) * numbers[:, :TRIES])
    logs = math.log(op.ratio[0]), math.log(op.ratio[1])
    ratio = torch.exp(logs[0] + (logs[1] - logs[0]) * numbers[:, TRIES : 2 * TRIES])
    widths, heights = torch.sqrt(area * ratio).round(), torch.sqrt(area / ratio).round()
    fits = (widths > 0) & (widths <= wide[:, None]) & (heights > 0) & (heights <= high[:, None])
    first, found = first_true(fits), fits.any(1)
    width, height = widths.gather(1, first)[:, 0], heights.gather(1, first)[:, 0]
    width = torch.where(found, width, torch.minimum(wide, (high * op.ratio[1]).round()))
    height = torch.where(found, height, torch.minimum(high, (wide / op.ratio[0]).round()))
    left, top = wide - width, high - height
    left = torch.where(found, (numbers[:, -2] * (left + 1)).floor(), (left / 2).floor())
    top = torch.where(found, (numbers[:, -1] * (top + 1)).floor(), (top / 2).floor())
    return torch.stack([left, top, width, height], 1).float()
