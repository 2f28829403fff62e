"""Statistics over seeds and tasks, and their intervals by the bootstrap (Agarwal et al., NeurIPS 2021, as rliable).

Scores are given as one array a task, its seeds along the last axis; tasks may differ in how many they have. Axes before
that are kept: they are what was drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from twofold.randomness import derive

DRAWS = 2000
SURE = 0.95
AT_ONCE = 1 << 21  # scores that are drawn before they are summed up (16 MB)
Scores = NDArray[np.float64]
Tasks = Sequence[Scores]  # of each task (..., seeds)
Statistic = Callable[[Tasks], Scores]  # (...)


def mean(tasks: Tasks) -> Scores:
    """The mean over tasks of each one's mean over seeds."""
    return _task_means(tasks).mean(-1)


def median(tasks: Tasks) -> Scores:
    """The median over tasks of each one's mean over seeds."""
    return np.asarray(np.median(_task_means(tasks), axis=-1))


def interquartile_mean(tasks: Tasks) -> Scores:
    """The mean of the middle half of all scores, seeds and tasks together (IQM)."""
    ordered = np.sort(np.concatenate(tasks, axis=-1), axis=-1)
    cut = ordered.shape[-1] // 4
    return ordered[..., cut : ordered.shape[-1] - cut].mean(-1)


def optimality_gap(tasks: Tasks, wanted: float = 1.0) -> Scores:
    """How far scores stay below what is wanted, on the mean; more than that counts as that."""
    return wanted - mean([np.minimum(task, wanted) for task in tasks])


def improvement(one: Tasks, other: Tasks) -> Scores:
    """How likely a seed of `one` scores above one of `other` in a task, equal scores as half; the mean over tasks."""
    return np.stack([_above(a, b) for a, b in zip(one, other, strict=True)], axis=-1).mean(-1)


def stratified(tasks: Tasks, statistic: Statistic, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of a statistic of scores (seeds,) of each task, where the seeds of each are drawn again, each task for
    itself: the percentiles, as rliable takes them. A function of (scores, seed, draws)."""
    rng = np.random.default_rng(derive(seed, "bootstrap"))
    return _middle([statistic(_again(tasks, rng, part)) for part in _parts(draws, sum(map(len, tasks)))])


def paired(one: Tasks, other: Tasks, statistic: Statistic, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of the difference of a statistic, `one` less `other`, where both are drawn again by the same seeds.

    Score i of a task is of the same seed in both, (seeds,).
    """
    both = [np.stack(pair) for pair in zip(one, other, strict=True)]
    rng = np.random.default_rng(derive(seed, "paired bootstrap"))
    found = [statistic(_again(both, rng, part)) for part in _parts(draws, sum(task.size for task in both))]
    return _middle([drawn[0] - drawn[1] for drawn in found])


def improvement_interval(one: Tasks, other: Tasks, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of `improvement`, where the seeds of each task are drawn again, those of the two apart from each other."""
    rng = np.random.default_rng(derive(seed, "bootstrap of improvement"))
    pairs = sum(len(a) * len(b) for a, b in zip(one, other, strict=True))
    return _middle([improvement(_again(one, rng, part), _again(other, rng, part)) for part in _parts(draws, pairs)])


def mean_interval(values: Sequence[float], seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95 % of the mean of some values, which are drawn again."""
    return stratified([np.asarray(values, np.float64)], mean, seed, draws)


def _task_means(tasks: Tasks) -> Scores:
    return np.stack([task.mean(-1) for task in tasks], axis=-1)


def _above(one: Scores, other: Scores) -> Scores:
    left, right = one[..., :, None], other[..., None, :]
    return ((left > right) + 0.5 * (left == right)).mean((-2, -1))


def _again(tasks: Tasks, rng: np.random.Generator, draws: int) -> list[Scores]:
    """Seeds drawn with replacement, of each task for itself: (..., draws, seeds)."""
    return [task[..., rng.integers(task.shape[-1], size=(draws, task.shape[-1]))] for task in tasks]


def _parts(draws: int, each: int) -> Iterator[int]:
    """How many to draw at once, until it is enough."""
    most = max(1, AT_ONCE // each)
    return (min(most, draws - start) for start in range(0, draws, most))


def _middle(found: Sequence[Scores]) -> tuple[float, float]:
    tail = 100 * (1 - SURE) / 2
    low, high = np.percentile(np.concatenate(found), [tail, 100 - tail])
    return float(low), float(high)
