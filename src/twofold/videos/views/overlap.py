"""Pairs of clips that overlap by a drawn rate in space and in time (CSTP, Zhang et al., AAAI 2022, 2112.08913)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from twofold.pixels.views.augmentations import Crop, Rotate
from twofold.pixels.views.draw import Drawn, Draws, first_true, flips
from twofold.randomness import uniforms
from twofold.seam import Task
from twofold.videos.batch import ClipBatch
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Chosen, Film, draw_clips, stretch_of
from twofold.videos.views.pretext import Exercise, Pretext
from twofold.videos.views.turning import TURNS, turn

RATES = (1.0, 0.8, 0.6, 0.4, 0.2)  # of one box, or of one clip's span, that the other covers
PACES = (1, 2, 4, 8)  # frames from one of a clip to the next
TRIES = 64
LEAST, RATIO = 0.2, (3 / 4, 4 / 3)  # of the first box: its least share of the frame, width / height


@dataclass(frozen=True)
class Overlap(Task):
    """What was drawn for B pairs of clips.

    space, time: int64 (B,), places in `RATES`. pace: int64 (B,), place in `PACES`. turns: int64 (B, 2), quarter turns
    of each clip counterclockwise. short: bool (B,), the video has too few frames for another overlap in time than the
    full one.
    """

    space: Tensor
    time: Tensor
    pace: Tensor
    turns: Tensor
    short: Tensor


@dataclass(frozen=True)
class Overlaps(Pretext):
    """Draws pairs of clips by how far they overlap, at one of four paces, each turned by quarters.

    sampling: "official" draws the rate anew with each try at placing the second box or clip, so that rates that are
    hard to place are rare; "balanced" draws the rate first, and then boxes and clips that allow it. rotate: clips are
    turned "before_crop", which leaves boxes of differently turned frames without the overlap that is asked for
    (official), or "after_crop". Where one of two clips lies on its side, boxes "before_crop" are of the frame's square
    middle.
    """

    boxed: ClassVar[int] = 2
    sampling: Literal["official", "balanced"] = "official"
    rotate: Literal["before_crop", "after_crop"] = "before_crop"

    def choose(self, sampling: Sampling, film: Film, index: int, seed: int, epoch: int, clips: int) -> Chosen:
        numbers = uniforms(torch.tensor([index]), 3 + 2 * TRIES, seed, "overlap in time", epoch)[0].double().tolist()
        *drawn, where = numbers
        line = stretch_of(film.lines, sampling.span + 1, where)
        (first, second), time, pace, short = place_clips(len(line), sampling, self.sampling, drawn)
        steps = sampling.strides[0] * PACES[pace] * np.arange(sampling.frames)
        pair = [line[(start + steps) % len(line)].astype(np.int64) for start in (first, second)]
        others = draw_clips(sampling, film.lines, index, seed, epoch, clips)[2:]
        return Chosen([*pair, *others], drawn=(time, pace, int(short)))

    def exercise(self, batch: ClipBatch, draws: list[Draws], side: int, seed: int, epoch: int) -> Exercise:
        time, pace, short = batch.drawn.unbind(1)
        turns = (uniforms(batch.index, 2, seed, "turns", epoch) * TURNS).long()
        sideways = (turns % 2 == 1).any(1) & (self.rotate == "before_crop")
        room = torch.where(sideways[:, None], batch.size.amin(1, keepdim=True), batch.size)
        numbers = uniforms(batch.index, 8 * TRIES + 1, seed, "overlap in space", epoch)
        boxes, space = place_boxes(room, numbers, self.sampling)
        mirrored = torch.stack([flips(own) for own in draws[:2]], 1)
        if self.rotate == "before_crop":
            boxes = [unturned(box, room, turns[:, view]) for view, box in enumerate(boxes)]
            boxes = [box + torch.cat([(batch.size - room).flip(1) // 2, 0 * room], 1) for box in boxes]
        pair = [_cut(own, box, batch.size) for own, box in zip(draws, boxes, strict=False)]
        # A mirror behind a turn is the opposite turn behind that mirror.
        shown = torch.where(mirrored & (self.rotate == "before_crop"), -turns % TURNS, turns)
        task = Overlap(space, time, pace, turns, short.bool())

        def alter(view: int, frames: Tensor) -> Tensor:
            return turn(frames, shown[:, view]) if view < 2 else frames

        return Exercise([*pair, *draws[2:]], task, alter)

    def remarks(self, sampling: Sampling, lengths: Sequence[int]) -> list[str]:
        """What a user should know of videos of so many frames."""
        span = (sampling.frames - 1) * sampling.strides[0]
        short = float(np.mean([n - span <= int((1 - RATES[1]) * span) for n in lengths])) if lengths else 0.0
        if not short:
            return []
        return [
            f"{short:.0%} of the videos looked at are too short for any overlap in time but the full one, even at the "
            "slowest pace; cstp_short counts such clips."
        ]


def place_clips(
    n: int, sampling: Sampling, rule: Literal["official", "balanced"], numbers: Sequence[float]
) -> tuple[tuple[int, int], int, int, bool]:
    """Starts of the two clips of a video of n frames, places of their overlap in `RATES` and of their pace in `PACES`,
    and whether the video is too short for another overlap than the full one.

    A clip of T frames at pace P spans S = (T - 1) P frames. Of n <= S frames both clips begin at 0 and go round.
    numbers: of 2 + 2 tries, in [0, 1).
    """
    unit = (sampling.frames - 1) * sampling.strides[0]
    allowed = [i for i, pace in enumerate(PACES) if pace * unit <= n] or [0]
    pace = allowed[int(numbers[0] * len(allowed))]
    span = unit * PACES[pace]
    starts = n - span
    shifts = [int((1 - rate) * span) for rate in RATES]
    short = shifts[1] >= starts
    if starts <= 0:
        return (0, 0), 0, pace, True
    if rule == "balanced":
        possible = [i for i, shift in enumerate(shifts) if shift < starts]
        time = possible[int(numbers[2] * len(possible))]
        first = int(numbers[1] * (starts - shifts[time]))
        pair = (first, first + shifts[time])
        return (pair if numbers[3] < 0.5 else pair[::-1]), time, pace, short
    first = int(numbers[1] * starts)
    for rate, way in zip(numbers[2::2], numbers[3::2], strict=True):
        time = int(rate * len(RATES))
        second = first + (shifts[time] if way < 0.5 else -shifts[time])
        if 0 <= second < starts:
            return (first, second), time, pace, short
    return (first, first), 0, pace, short


def place_boxes(room: Tensor, numbers: Tensor, rule: Literal["official", "balanced"]) -> tuple[list[Tensor], Tensor]:
    """Two boxes of one size in frames of `room` (B, 2) pixels, float64 (B, 4) left, top, width, height each, and the
    place (B,) in `RATES` of intersection / area of one box, which whole pixels make a little smaller.

    numbers: (B, 8 tries + 1) in [0, 1). Of the tries the first that fits is taken: for the first box and, with that,
    for the second; for both together where the rate is drawn first.
    """
    high, wide = (side[:, None].double() for side in room.unbind(1))
    *drawn, label = numbers.double().split([numbers.shape[1] // 8] * 8 + [1], 1)
    area, ratio, swap, left, top, rate, corner, share = drawn
    place = ((label if rule == "balanced" else rate) * len(RATES)).long().expand_as(area)
    rates = torch.tensor(RATES, device=room.device, dtype=torch.float64)[place]
    # Beyond this share of the frame no second box overlaps by that rate alone.
    most = 1 / (2 - rates) if rule == "balanced" else 1.0
    pixels, ratio = (LEAST + (most - LEAST) * area) * high * wide, RATIO[0] + (RATIO[1] - RATIO[0]) * ratio
    ratio = torch.where(swap < 0.5, ratio, 1 / ratio)
    width, height = (pixels * ratio).sqrt().round(), (pixels / ratio).sqrt().round()
    first = torch.stack([(left * (wide - width + 1)).floor(), (top * (high - height + 1)).floor(), width, height])
    fits = (width <= wide) & (height <= high)
    if rule == "official":
        middle = (torch.minimum(wide, high) * LEAST**0.5).floor().clamp(min=1)
        whole = torch.stack([(wide - middle) // 2, (high - middle) // 2, middle, middle])
        first = torch.where(fits.any(1, keepdim=True), _of_try(first, first_true(fits)), whole).expand_as(first)
        fits = torch.ones_like(fits)
    left, top, width, height = first
    least = (rates * width).floor()
    common_width = (least + (share * (width - least + 1)).floor()).clamp(min=1)
    common_height = torch.minimum((rates * width * height / common_width).floor().clamp(min=1), height)
    across, down = width - common_width, height - common_height
    other_left = torch.where(corner % 0.5 < 0.25, left + across, left - across)
    other_top = torch.where(corner < 0.5, top + down, top - down)
    fits = fits & (other_left >= 0) & (other_top >= 0) & (other_left + width <= wide) & (other_top + height <= high)
    chosen, found = first_true(fits), fits.any(1)
    pair = [_of_try(first, chosen), _of_try(torch.stack([other_left, other_top, width, height]), chosen)]
    if rule == "official":
        other, space = [_of_try(first, chosen)[..., 0].T] * 2, torch.where(found, place.gather(1, chosen)[:, 0], 0)
    else:
        other, space = _safe(room, rates), place[:, 0]
    boxes = (own[..., 0].T for own in pair)
    return [torch.where(found[:, None], own, safe) for own, safe in zip(boxes, other, strict=True)], space


def _of_try(boxes: Tensor, tries: Tensor) -> Tensor:
    """Of boxes (4, B, tries) those of one try each, (4, B, 1)."""
    return boxes.gather(2, tries.expand(4, -1, -1))


def _safe(room: Tensor, rates: Tensor) -> list[Tensor]:
    """Boxes in the upper left corner of a fifth of the frame, one below the other: they overlap by any rate."""
    height, width = (room.double() * LEAST**0.5).floor().clamp(min=1).unbind(1)
    zero = torch.zeros_like(width)
    moved = height - (rates[:, 0] * height).floor().clamp(min=1)
    return [torch.stack([zero, top, width, height], 1) for top in (zero, moved)]


def unturned(box: Tensor, room: Tensor, turns: Tensor) -> Tensor:
    """Where boxes (B, 4) of frames that were turned by quarters (B,) counterclockwise lie in the frames as they were,
    of `room` (B, 2) pixels; frames that lie on their side are square."""
    left, top, width, height = box.unbind(1)
    high, wide = room.double().unbind(1)
    ways = [
        (left, top, width, height),
        (wide - top - height, left, height, width),
        (wide - left - width, high - top - height, width, height),
        (top, high - left - width, height, width),
    ]
    return torch.stack([torch.stack(way, 1) for way in ways])[turns, torch.arange(len(box), device=box.device)]


def _cut(draws: Draws, box: Tensor, size: Tensor) -> Draws:
    """The draws of a view that shows this box (B, 4), turned about the box's middle where it is turned by degrees."""
    steps: list[Drawn] = []
    for step in draws:
        if isinstance(step.op, Rotate):
            box = _swung(box, size, step.values[:, 0].double())
        steps.append(replace(step, values=box.float()) if isinstance(step.op, Crop) else step)
    return tuple(steps)


def _swung(box: Tensor, size: Tensor, degrees: Tensor) -> Tensor:
    """The box about the place to which its middle goes where the frame is turned about its own middle."""
    half, middle = box[:, 2:] / 2, size.flip(1).double() / 2
    across, down = (box[:, :2] + half - middle).unbind(1)
    cos, sin = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    moved = torch.stack([cos * across + sin * down, cos * down - sin * across], 1)
    return torch.cat([(middle + moved - half).round(), box[:, 2:]], 1)
