"""Intervals by the bootstrap: of episodes of one agent, and of seeds within tasks (Agarwal et al., NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from twofold.randomness import derive

DRAWS = 2000
SURE = 0.95
Scores = NDArray[np.float64]
Statistic = Callable[[Scores], Scores]  # of (..., seeds, tasks), over the last two


def mean(scores: Scores) -> Scores:
    """The mean of all."""
    return scores.mean((-2, -1))


def median(scores: Scores) -> Scores:
    """The median over tasks of each one's mean over seeds."""
    return np.median(scores.mean(-2), axis=-1)


def interquartile_mean(scores: Scores) -> Scores:
    """The mean of the middle half of all scores, seeds and tasks together (IQM)."""
    flat = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = int(0.25 * flat.shape[-1])
    return flat[..., cut : flat.shape[-1] - cut].mean(-1)


def optimality_gap(scores: Scores, wanted: float = 1.0) -> Scores:
    """How far scores stay below what is wanted, on the mean; more than that counts as that."""
    return wanted - np.minimum(scores, wanted).mean((-2, -1))


STATISTICS: dict[str, Statistic] = {
    "mean": mean,
    "median": median,
    "IQM": interquartile_mean,
    "optimality gap": optimality_gap,
}


def stratified(scores: Scores, statistic: Statistic, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of a statistic of scores (seeds, tasks) where the seeds of each task are drawn again, each task for itself;
    the percentiles, as rliable takes them."""
    rng = np.random.default_rng(derive(seed, "bootstrap"))
    seeds, tasks = scores.shape
    chosen = rng.integers(seeds, size=(draws, seeds, tasks))
    found = statistic(np.take_along_axis(scores[None], chosen, axis=1))
    return _middle(found)


def mean_interval(values: Sequence[float], seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of the mean of some values, which are drawn again."""
    return stratified(np.asarray(values, np.float64)[:, None], mean, seed, draws)


def improvement(one: Scores, other: Scores) -> float:
    """How likely a seed of `one` scores above one of `other` in a task, equal scores as half; the mean over tasks.

    Both (seeds, tasks), their seeds may be of different number.
    """
    above = (one[:, None] > other[None]).mean((0, 1)) + 0.5 * (one[:, None] == other[None]).mean((0, 1))
    return float(above.mean())


def _middle(found: Scores) -> tuple[float, float]:
    tail = 100 * (1 - SURE) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)
