"""A clip, a keyframe near it, and motion behind it (CMD, Huang et al., CVPR 2021, 2104.00862)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.views.augmentations import Augmentation, Crop, Flip, Normalise
from twofold.pixels.views.draw import Draws, draw, flips
from twofold.randomness import derive, uniforms
from twofold.seam import Task
from twofold.videos.batch import ClipBatch
from twofold.videos.motion.maps import cut, flip, normalise
from twofold.videos.motion.painting import CELL, QUARTER, REFERENCE
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Chosen, Film, draw_clips, stretch_of
from twofold.videos.views.pretext import Exercise, Pretext

NEAR = 5  # frames before and behind a clip among which its keyframe is drawn
_CUT = Augmentation(((Crop((0.2, 1.0)), Flip(0.5), Normalise()),))


@dataclass(frozen=True)
class Motion(Task):
    """The motion that belongs to B clips.

    maps: float32 (B, 1 + N, 2, T, S, S) in -1..1, dx right and dy down, of what follows the clip and then of N other
    times of its video. far: bool (B,), the keyframe lies farther from its clip than 5 frames.
    """

    maps: Tensor
    far: Tensor


@dataclass(frozen=True)
class ContextAndMotion(Pretext):
    """Draws a clip, a keyframe within five frames of it (else the nearest), the motion of `future` consecutive frames
    from `gap` frames behind it on, and of as many frames at `others` times that do not touch those.

    flipped: whether the sideways part of mirrored vectors is "negated", or left as in the "official" code. scaled:
    whether vectors grow as the crop does. whole: whether vectors are cut to whole pixels, as the official ones are.
    Vectors are in pixels of a video whose short side is 256.
    """

    motion: ClassVar[bool] = True
    future: int = 8
    gap: int = 2
    others: int = 3
    flipped: Literal["negated", "official"] = "negated"
    scaled: bool = False
    whole: bool = False

    def window(self, sampling: Sampling) -> int:
        """Frames that a sample takes."""
        return sampling.span + self.gap + self.future

    def choose(self, sampling: Sampling, film: Film, index: int, seed: int, epoch: int, clips: int) -> Chosen:
        numbers = uniforms(torch.tensor([index]), 3 + self.others, seed, "context", epoch)[0].double().tolist()
        *drawn, where = numbers
        window = self.window(sampling)
        line = stretch_of(film.lines, window, where)
        if len(line) < window:
            raise DecodeError(f"has {len(line):,} frames in a row, fewer than the {window} of clip, gap and motion")
        start = int(drawn[0] * (len(line) - window + 1))
        clip = start + sampling.strides[0] * np.arange(sampling.frames)
        begin = start + sampling.span + self.gap
        places = other_places(len(line), begin, self.future, drawn[2:])
        motion = np.stack([line[place + np.arange(self.future)] for place in (begin, *places)])
        key, far = keyframe(film.keyframes, int(line[clip[0]]), int(line[clip[-1]]), drawn[1])
        further = draw_clips(sampling, film.lines, index, seed, epoch, clips)[2:]
        return Chosen([line[clip], np.array([key]), *further], motion, (int(far),))

    def exercise(self, batch: ClipBatch, draws: list[Draws], side: int, seed: int, epoch: int) -> Exercise:
        others = draw(_CUT, batch.index, batch.size, derive(seed, "other motion"), epoch, self.others)
        maps = [self.maps(batch, row, own, side) for row, own in enumerate([draws[0], *others])]
        return Exercise(draws, Motion(torch.stack(maps, 1), batch.drawn[:, 0].bool()))

    def maps(self, batch: ClipBatch, row: int, draws: Draws, side: int) -> Tensor:
        """Row `row` of the batch's motion, cut and mirrored as these draws say: float32 (B, 2, T, side, side)."""
        crop = next(step.values for step in draws if isinstance(step.op, Crop)).to(batch.stored.device)
        stretch = (batch.stored / batch.size).flip(1).repeat(1, 2)
        pixels = batch.motion[:, row].float() / QUARTER
        found = cut(pixels.trunc() if self.whole else pixels, crop * stretch, batch.stored, side, CELL)
        if self.scaled:
            unit = (REFERENCE / batch.stored.amin(1, keepdim=True)).clamp(max=1)
            found = found * (side / (crop * stretch * unit)[:, None, None, None, 2:])
        mirrored = flip(found, negate=self.flipped == "negated")
        shown = torch.where(flips(draws)[:, None, None, None, None], mirrored, found)
        return normalise(shown).permute(0, 4, 1, 2, 3)

    def remarks(self, sampling: Sampling, lengths: Sequence[int]) -> list[str]:
        """What a user should know of videos of so many frames."""
        window = self.window(sampling)
        short = float(np.mean([length < window for length in lengths])) if lengths else 0.0
        if not short:
            return []
        return [
            f"{short:.0%} of the videos looked at have fewer than the {window} frames that clip, gap and motion take, "
            "and others stand in for them; --recipe short takes fewer."
        ]


def keyframe(keyframes: np.ndarray, first: int, last: int, number: float) -> tuple[int, bool]:
    """One of the keyframes within five frames of the clip by a number in [0, 1), else the nearest; and whether it is
    farther away than that."""
    near = keyframes[(keyframes >= first - NEAR) & (keyframes <= last + NEAR)]
    if len(near):
        return int(near[int(number * len(near))]), False
    return int(keyframes[np.abs(keyframes - (first + last) / 2).argmin()]), True


def other_places(n: int, begin: int, length: int, numbers: Sequence[float]) -> list[int]:
    """As many starts of windows as numbers in [0, 1), no two alike, among all that do not touch the window at `begin`;
    fewer windows than that come round again."""
    free = [start for start in range(n - length + 1) if abs(start - begin) >= length] or [begin]
    taken: list[int] = []
    for number in numbers:
        left = [start for start in free if start not in taken] or free
        taken.append(left[int(number * len(left))])
    return taken
