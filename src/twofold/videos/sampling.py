"""Which frames make a clip: draws for training, even places for evaluation. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from twofold.pixels.reading.failure import DecodeError
from twofold.randomness import uniforms
from twofold.videos.rule import Sampling

MOST_REPEATED = 1000  # times that a frame stands for itself at a steady rate
NEAR, AWAY = 2, 3  # BE: a start nearer than this to the first clip's is moved by a third of the video


@dataclass(frozen=True)
class Film:
    """What clips may be cut from: the video's `timeline`, and its keyframes, int64 ascending."""

    lines: list[np.ndarray]
    keyframes: np.ndarray


@dataclass(frozen=True)
class Chosen:
    """What is read of a video, by numbers of frames.

    clips: int64 (T,) each. motion: int64 (M, T), frames of which motion vectors are read. drawn: what a pretext task
    drew with them.
    """

    clips: list[np.ndarray]
    motion: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    drawn: tuple[int, ...] = ()


def timeline(times: np.ndarray, stretches: Sequence[tuple[int, int]], fps: float | None = None) -> list[np.ndarray]:
    """The frames between which clips are cut: for each stretch of a video the numbers of its frames, int64.

    times: float64 (n,) seconds. stretches: first and last frame. fps: at so many a second, the frame nearest in time;
    all frames where None. Raises DecodeError where frames would be repeated MOST_REPEATED times, as of a time lapse.
    """
    lines = []
    for first, last in stretches:
        numbers = np.arange(first, last + 1)
        if fps is not None and last > first:
            own = times[first : last + 1]
            apart = (own[-1] - own[0]) / (last - first)
            if apart * fps > MOST_REPEATED:
                raise DecodeError(f"has a frame every {apart:,.0f} s, too few for {fps:g} a second")
            wanted = np.arange(own[0], own[-1] + 1e-6, 1 / fps)
            right = np.searchsorted(own, wanted).clip(1, len(own) - 1)
            nearer = wanted - own[right - 1] <= own[right] - wanted
            numbers = first + np.where(nearer, right - 1, right)
        lines.append(numbers)
    return lines


def draw_clips(
    sampling: Sampling, lines: Sequence[np.ndarray], index: int, seed: int, epoch: int, clips: int
) -> list[np.ndarray]:
    """The frames of `clips` clips of video `index`, each int64 (T,): a function of (seed, epoch, index).

    lines: the video's `timeline`. A clip lies within one stretch, drawn by how many starts it has, and goes round where
    that is shorter than a clip.
    """
    low, high = sampling.strides
    numbers = uniforms(torch.tensor([index]), 2 + 2 * clips, seed, "clips", epoch)[0].double().tolist()
    stride = low + int(numbers[0] * (high - low + 1))
    span = (sampling.frames - 1) * stride + 1 + (stride - 1 if sampling.jitter else 0)
    starts = np.array([max(len(line) - span + 1, 1) for line in lines])
    first = _place(starts, numbers[2])
    found = []
    for clip in range(clips):
        place = first if clip == 0 else _place(starts, numbers[2 + 2 * clip])
        if clip and (sampling.second == "other" or clip > 1) and place[0] == first[0]:
            place = (place[0], _other(place[1], first[1], len(lines[place[0]]), starts[place[0]]))
        line, steps = lines[place[0]], place[1] + stride * np.arange(sampling.frames)
        if sampling.jitter:
            drawn = uniforms(torch.tensor([index]), sampling.frames, seed, "jitter", epoch, clip)[0].numpy()
            steps = steps + (drawn * stride).astype(np.int64)
        found.append(line[steps % len(line)].astype(np.int64))
    return found


def stretch_of(lines: Sequence[np.ndarray], frames: int, number: float) -> np.ndarray:
    """The stretch that a number in [0, 1) falls on among all places for so many frames in a row; the longest where none
    has so many."""
    places = np.array([max(len(line) - frames + 1, 0) for line in lines])
    if not places.any():
        return max(lines, key=len)
    return lines[int(np.searchsorted(places.cumsum(), number * places.sum(), side="right"))]


def choose_clips(sampling: Sampling, film: Film, index: int, seed: int, epoch: int, clips: int) -> Chosen:
    """`draw_clips` and nothing else."""
    return Chosen(draw_clips(sampling, film.lines, index, seed, epoch, clips))


def _place(starts: np.ndarray, number: float) -> tuple[int, int]:
    """Stretch and start that a number in [0, 1) falls on among all starts."""
    at = min(int(number * starts.sum()), int(starts.sum()) - 1)
    ends = starts.cumsum()
    line = int(np.searchsorted(ends, at, side="right"))
    return line, int(at - (ends[line] - starts[line]))


def _other(start: int, first: int, length: int, starts: int) -> int:
    """BE's second start: one nearer than 2 frames is moved by a third of the video."""
    return start if abs(start - first) >= NEAR else (first + max(length // AWAY, 1)) % max(int(starts), 1)


def even_clips(
    lines: Sequence[np.ndarray], clips: int, frames: int, stride: int, rule: Literal["ctp", "cmd"] = "ctp"
) -> list[np.ndarray]:
    """Evenly spaced clips of a video, each int64 (frames,), for evaluation; over its longest stretch.

    "ctp": clip i begins at int(d / clips (i + 1/2)) of d = n - frames stride + 1 places, at 0 where d is not positive.
    "cmd": in the middle of each of `clips` equal parts of 0 to n - ((frames - 1) stride + 1). Frames behind the end go
    round.
    """
    line = max(lines, key=len)
    n = len(line)
    if rule == "ctp":
        room = max(n - frames * stride + 1, 0)
        starts = [int(room / clips * (i + 0.5)) for i in range(clips)]
    else:
        edges = np.linspace(0, max(n - ((frames - 1) * stride + 1), 0), clips + 1)
        starts = [int(start) for start in (edges[:-1] + edges[1:]) / 2]
    return [line[(start + stride * np.arange(frames)) % n].astype(np.int64) for start in starts]
