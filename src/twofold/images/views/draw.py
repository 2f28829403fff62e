"""What a recipe does to each image: the random parameters, as a record that both the fast and the exact path follow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.images.views.recipes import Blur, Clip, Crop, Flip, Grey, Jitter, Normalise, Operation, Recipe, Solarise
from twofold.randomness import uniforms
from twofold.seam import Geometry

TRIES = 10
# Uniform draws of each operation for one image; the first decides whether it is applied (but for the crop).
_DRAWS = {Crop: 2 * TRIES + 2, Flip: 1, Jitter: 6, Grey: 1, Blur: 2, Solarise: 1}
# The 24 orders of brightness 0, contrast 1, saturation 2, hue 3; entry 0 is the fixed one.
ORDERS: tuple[tuple[int, ...], ...] = tuple(itertools.permutations(range(4)))


@dataclass(frozen=True)
class Drawn:
    """One operation of one view, with what was drawn for each image.

    applied: bool (B,). values: float32 (B, k), by operation: Crop left, top, width, height (whole source pixels);
    Jitter factors of brightness, contrast, saturation, hue shift in turns, position in ORDERS; Blur sigma in pixels;
    Grey 1, the share of luma; Solarise threshold; k = 0 for the others.
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


Plan = tuple[Drawn, ...]


def draw(recipe: Recipe, index: Tensor, size: Tensor, seed: int, epoch: int, count: int = 2) -> list[Plan]:
    """The plans of `count` views: a function of (seed, epoch, index, view, operation) and nothing else.

    index: int64 (B,), size: int64 (B, 2), height and width of the sources. The distributions are torchvision's
    (RandomResizedCrop, ColorJitter, RandomApply). Returns one tuple of records a view, on the device of `index`.
    """
    plans = []
    for view in range(count):
        ops = recipe.view(view)
        needs = [_DRAWS.get(type(op), 0) for op in ops]
        # One call for all operations: its cost hardly depends on the number of draws.
        draws = uniforms(index, sum(needs), seed, "views", epoch, view).split(needs, 1)
        plans.append(tuple(_draw(op, size, own) for op, own in zip(ops, draws, strict=True)))
    return plans


def geometry(plan: Plan, size: Tensor) -> Geometry:
    """Where the view of a plan lies in its sources of `size` (B, 2)."""
    crop = next(step for step in plan if isinstance(step.op, Crop))
    left, top, width, height = crop.values.unbind(1)
    return Geometry(torch.stack([left, top, left + width, top + height], 1), flips(plan), size.float())


def side_of(plan: Plan, size: int) -> int:
    """The side of a plan's view in pixels, where the run's images are of `size`."""
    return next(step.op.pixels(size) for step in plan if isinstance(step.op, Crop))


def flips(plan: Plan) -> Tensor:
    """bool (B,): which images the plan mirrors."""
    for step in plan:
        if isinstance(step.op, Flip):
            return step.applied
    return torch.zeros_like(plan[0].applied)


def _draw(op: Operation, size: Tensor, draws: Tensor) -> Drawn:
    everywhere = torch.ones(len(draws), dtype=torch.bool, device=draws.device)
    nothing = draws[:, :0]
    if isinstance(op, Crop):
        return Drawn(op, everywhere, _box(op, size, draws))
    if isinstance(op, (Clip, Normalise)):
        return Drawn(op, everywhere, nothing)
    applied = draws[:, 0] < op.p
    if isinstance(op, Jitter):
        spans = [(max(0.0, 1 - x), 1 + x) for x in (op.brightness, op.contrast, op.saturation)] + [(-op.hue, op.hue)]
        factors = [low + (high - low) * draws[:, 1 + i] for i, (low, high) in enumerate(spans)]
        order = (draws[:, 5] * len(ORDERS)).floor() * (op.order == "random")
        return Drawn(op, applied, torch.stack([*factors, order], 1))
    if isinstance(op, Blur):
        return Drawn(op, applied, op.sigma[0] + (op.sigma[1] - op.sigma[0]) * draws[:, 1:])
    if isinstance(op, Solarise):
        return Drawn(op, applied, torch.full_like(draws, op.threshold))
    if isinstance(op, Grey):
        return Drawn(op, applied, torch.ones_like(draws))
    return Drawn(op, applied, nothing)


def _box(op: Crop, size: Tensor, draws: Tensor) -> Tensor:
    """torchvision's RandomResizedCrop for all images at once: ten tries, the first that fits, else a central crop.

    In float64 where the device has it, so that rounding to whole pixels does not depend on the device.
    """
    precise = torch.float32 if draws.device.type == "mps" else torch.float64
    draws, (high, wide) = draws.to(precise), size.to(precise).unbind(1)
    area = (high * wide)[:, None] * (op.area[0] + (op.area[1] - op.area[0]) * draws[:, :TRIES])
    logs = math.log(op.ratio[0]), math.log(op.ratio[1])
    ratio = torch.exp(logs[0] + (logs[1] - logs[0]) * draws[:, TRIES : 2 * TRIES])
    widths, heights = torch.sqrt(area * ratio).round(), torch.sqrt(area / ratio).round()
    fits = (widths > 0) & (widths <= wide[:, None]) & (heights > 0) & (heights <= high[:, None])
    first = (fits * torch.arange(TRIES, 0, -1, device=size.device)).argmax(1, keepdim=True)
    found = fits.any(1)
    width, height = widths.gather(1, first)[:, 0], heights.gather(1, first)[:, 0]
    width = torch.where(found, width, torch.minimum(wide, (high * op.ratio[1]).round()))
    height = torch.where(found, height, torch.minimum(high, (wide / op.ratio[0]).round()))
    left, top = wide - width, high - height
    left = torch.where(found, (draws[:, -2] * (left + 1)).floor(), (left / 2).floor())
    top = torch.where(found, (draws[:, -1] * (top + 1)).floor(), (top / 2).floor())
    return torch.stack([left, top, width, height], 1).float()
