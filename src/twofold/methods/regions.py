"""Pairs of boxes that cover the same part of an image in two of its views (SCRL's box generator)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from twofold.randomness import uniforms
from twofold.seam import Geometry, Progress

TRIES = 50
# draw(low, high): for each of n images an integer in low..high - 1, int64 (n,); `high` is cut to an integer first.
Draw: TypeAlias = Callable[[Tensor, Tensor], Tensor]
# draws(images, box, attempt): the draws of one attempt at a box of these images, and its jitter (n, 4) in 0..1.
Draws: TypeAlias = Callable[[Tensor, int, int], "tuple[Draw, Callable[[], Tensor]]"]


@dataclass(frozen=True)
class Rules:
    """How boxes are made: how many an image, of at least how many pixels, on a grid of cells or anywhere, how alike
    two of an image may be (intersection over union), and by what share the second view's box is moved and stretched."""

    boxes: int = 10
    least: float = 32.0
    grid: bool = True
    overlap: float = 0.5
    jitter: float = 0.0


@dataclass(frozen=True)
class Regions:
    """R pairs of boxes. image: int64 (R,). first, second: float64 (R, 4), left, top, right, bottom in pixels of either
    view, within it."""

    image: Tensor
    first: Tensor
    second: Tensor


def region_pairs(first: Geometry, second: Geometry, size: int, rules: Rules, draws: Draws) -> Regions:
    """`rules.boxes` pairs for each image whose two crops share enough (SCRL, Roh et al., CVPR 2021, section 3.2).

    first, second: where two views of B images, each resized to size x size pixels, lie in the images; on the CPU. An
    image is left out where the shared part, in pixels of the coarser view, is not wider and higher than `rules.least`.
    A box that is too like one of its image is drawn again, 50 times at most; then the last one stays.
    """
    one, other = first.box.double(), second.box.double()
    corner, far = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    scales = torch.stack([size / (box[:, 2:] - box[:, :2]) for box in (one, other)])  # view pixels a source pixel
    coarse = scales.amin(0)
    room = ((far - corner) * coarse).round()
    images = ((far > corner) & (room > rules.least)).all(1).nonzero().squeeze(1)

    def views_of(boxes: Tensor, among: Tensor, view: int) -> Tensor:
        """Boxes (n, 4) of corner and size in the shared part -> boxes in a view, unclipped."""
        zoom = scales[view, among] / coarse[among]
        start = boxes[:, :2] * zoom + (corner[among] - (one, other)[view][among, :2]) * scales[view, among]
        return _flipped(torch.cat([start, start + boxes[:, 2:] * zoom], 1), (first, second)[view].flip[among], size)

    accepted = torch.zeros(len(images), rules.boxes, 4, dtype=torch.float64)
    partners = torch.zeros_like(accepted)
    for box in range(rules.boxes):
        wanting = torch.arange(len(images))
        for attempt in range(TRIES):
            if not len(wanting):
                break
            among = images[wanting]
            draw, jitter = draws(among, box, attempt)
            drawn = (_on_grid if rules.grid else _anywhere)(room[among], rules.least, draw)
            in_first, in_second = (views_of(drawn, among, view) for view in (0, 1))
            accepted[wanting, box], partners[wanting, box] = in_first, _jittered(in_second, jitter, rules.jitter)
            if box == 0 or rules.overlap >= 1:
                break
            wanting = wanting[iou(in_first[:, None], accepted[wanting, :box]).amax(1) >= rules.overlap]
    flat = [boxes.flatten(0, 1).clamp(0, size) for boxes in (accepted, partners)]
    return Regions(images.repeat_interleave(rules.boxes), *flat)


def drawn_from(progress: Progress, index: Tensor) -> Draws:
    """Draws as a function of (seed, step, image, box, attempt). index: int64 (B,), the images' places in the data."""

    def draws(images: Tensor, box: int, attempt: int) -> tuple[Draw, Callable[[], Tensor]]:
        numbers = uniforms(index[images], 12, progress.seed, "regions", progress.step, box, attempt).double()
        columns = iter(numbers[:, :8].unbind(1))

        def draw(low: Tensor, high: Tensor) -> Tensor:
            return low + (next(columns) * (high.long() - low)).long()

        return draw, lambda: numbers[:, 8:]

    return draws


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), left, top, right, bottom."""
    sides = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    shared = sides.clamp_min(0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (first, second)]
    return shared / (areas[0] + areas[1] - shared)


def _on_grid(room: Tensor, least: float, draw: Draw) -> Tensor:
    """A cell of a random grid over the room (n, 2), and in it a box: corner and size, (n, 4)."""
    one, low = torch.ones(len(room), dtype=torch.int64), torch.full((len(room),), int(least))
    counts = [draw(one, (side / least).floor() + 1) for side in room.unbind(1)]
    cells = [side / count for side, count in zip(room.unbind(1), counts, strict=True)]
    places = [draw(one - 1, count) for count in counts]
    sizes = [draw(low, cell + 1) for cell in cells]
    offsets = [draw(one - 1, cell - size + 1) for cell, size in zip(cells, sizes, strict=True)]
    starts = [(p * cell).floor() + o for p, cell, o in zip(places, cells, offsets, strict=True)]
    return torch.stack([*starts, *sizes], 1).double()


def _anywhere(room: Tensor, least: float, draw: Draw) -> Tensor:
    """A box anywhere in the room (n, 2): corner and size, (n, 4)."""
    low = torch.full((len(room),), int(least))
    sizes = [draw(low, side) for side in room.unbind(1)]
    starts = [draw(low * 0, side - size) for side, size in zip(room.unbind(1), sizes, strict=True)]
    return torch.stack([*starts, *sizes], 1).double()


def _flipped(boxes: Tensor, flip: Tensor, size: int) -> Tensor:
    left, top, right, bottom = boxes.unbind(1)
    turned = torch.stack([size - right, top, size - left, bottom], 1)
    return torch.where(flip[:, None], turned, boxes)


def _jittered(boxes: Tensor, numbers: Callable[[], Tensor], ratio: float) -> Tensor:
    if not ratio:
        return boxes
    factors = 1 + ratio * (2 * numbers() - 1)
    size = boxes[:, 2:] - boxes[:, :2]
    start = boxes[:, :2] + size * (factors[:, :2] - 1)
    return torch.cat([start, start + size * factors[:, 2:]], 1)
