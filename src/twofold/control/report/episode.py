"""The episode that was kept of the last evaluation: a moving picture, and a strip of its moments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.sprites import moving_picture, picture

_SIDE, _MOMENTS, _FRAMES = 168, 8, 120
_SMALLEST = 160  # pixels to which the pictures of small games are enlarged


@dataclass(frozen=True)
class Film:
    """frames: uint8 (T, H, W, 3). every: which of the episode's frames were kept."""

    frames: np.ndarray
    every: int


@dataclass(frozen=True)
class Shown:
    """Addresses of a moving picture and of single moments."""

    film: str
    moments: list[str]
    words: str


def read_film(file: Path) -> Film | None:
    """An episode.npz; None of one of vectors. Raises ValueError or KeyError where its arrays cannot be meant."""
    arrays = read_arrays(file)
    frames, every = arrays["frames"], arrays["every"]
    if frames.ndim == 2:
        return None
    if frames.ndim != 4 or frames.dtype != np.uint8 or not len(frames) or every.size != 1:
        raise ValueError(f"frames of {frames.dtype} {frames.shape}")
    return Film(_coloured(frames), int(every))


def _coloured(frames: np.ndarray) -> np.ndarray:
    """Frames (T, C, H, W) as colours: grey of one channel, the first three of more; small ones enlarged."""
    shown = frames[:, :3] if frames.shape[1] >= 3 else np.repeat(frames[:, :1], 3, axis=1)
    times = max(_SMALLEST // max(frames.shape[2:]), 1)
    return shown.transpose(0, 2, 3, 1).repeat(times, axis=1).repeat(times, axis=2)


def film_section(film: Film | None, room: float) -> list[Section]:
    """The section of an episode; fewer frames where a run has only the part `room` of a page of its own."""
    if film is None:
        return []
    most = max(round(room * _FRAMES), 12)
    chosen = film.frames[: most * max(len(film.frames) // most, 1) : max(len(film.frames) // most, 1)]
    places = np.linspace(0, len(film.frames) - 1, min(_MOMENTS, len(film.frames))).round().astype(int)
    skipped = "" if film.every == 1 else f", one frame of {film.every}"
    shown = Shown(
        moving_picture(chosen, _SIDE, seconds=0.08),
        [picture(film.frames[i], _SIDE) for i in places],
        f"{len(film.frames):,} frames{skipped}",
    )
    return [Section("episode", "An episode of the last evaluation", "episode.html", shown, "Episode")]
