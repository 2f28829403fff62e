"""The returns that were stored at the end of a run, as a histogram, with the bins that pairs were drawn by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.words import number

_BARS, _HEIGHT = 40, 120


@dataclass(frozen=True)
class Stored:
    """rewards: of each step that was stored; returns: what came after it, where that is known."""

    rewards: np.ndarray
    returns: np.ndarray


@dataclass(frozen=True)
class Bar:
    """x, width, y, height: in the units of the drawing; words: what it counts."""

    x: float
    width: float
    y: float
    height: float
    words: str


@dataclass(frozen=True)
class Histogram:
    """A histogram on a root scale, since most moments are alike."""

    bars: list[Bar]
    low: str
    high: str
    words: str


def read_stored(file: Path) -> Stored:
    """A returns.npz. Raises ValueError or KeyError where its arrays cannot be meant."""
    arrays = read_arrays(file)
    rewards, returns = arrays["rewards"], arrays.get("returns", np.empty(0, np.float32))
    for found in (rewards, returns):
        if found.ndim != 1 or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise ValueError(f"numbers of {found.dtype} {found.shape}")
    return Stored(rewards, returns)


def stored_section(stored: Stored | None) -> list[Section]:
    """The section of what was stored; none where nothing was."""
    if stored is None or not len(stored.rewards):
        return []
    drawn = [_histogram(stored.rewards, "rewards")]
    if len(stored.returns):
        drawn.insert(0, _histogram(stored.returns, "returns to go"))
    return [Section("stored", "What was stored", "returns.html", drawn, "Returns")]


def _histogram(values: np.ndarray, what: str) -> Histogram:
    counts, edges = np.histogram(values, bins=_BARS)
    tall = np.sqrt(counts / counts.max()) * _HEIGHT
    width = 600 / _BARS
    bars = [
        Bar(
            i * width,
            width - 1,
            _HEIGHT - float(height),
            float(height),
            f"{number(edges[i])} to {number(edges[i + 1])}: {int(counts[i]):,} steps",
        )
        for i, height in enumerate(tall)
        if counts[i]
    ]
    zero = float(np.mean(values == 0))
    words = f"{len(values):,} {what}, mean {number(float(values.mean()))}; {zero:.0%} are 0"
    return Histogram(bars, number(float(edges[0])), number(float(edges[-1])), words)
