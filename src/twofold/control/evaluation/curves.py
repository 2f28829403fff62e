"""A learning curve as one number: its mean height, or its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twofold.control.evaluation.atari_scores import human_normalised
from twofold.errors import UserError

Curve = tuple[Sequence[float], Sequence[float]]  # steps, and the mean score of the evaluation at each


@dataclass(frozen=True)
class End:
    """Where a curve ends: what counts is the last evaluation; the best one bears its own name."""

    last: float
    best: float
    best_step: float


def end_of(steps: Sequence[float], scores: Sequence[float]) -> End:
    """The last score, and the best with its step (the first of equals)."""
    _check(steps, scores, least=1)
    best = int(np.argmax(scores))
    return End(float(scores[-1]), float(scores[best]), float(steps[best]))


def area_under_curve(steps: Sequence[float], scores: Sequence[float]) -> float:
    """The mean height of a curve through these points, by trapezoids over the span of the steps, in units of scores."""
    _check(steps, scores, least=2)
    x, y = np.asarray(steps, np.float64), np.asarray(scores, np.float64)
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / (x[-1] - x[0]))


def normalised_area(task: str, steps: Sequence[float], scores: Sequence[float]) -> float | None:
    """The mean height of a game's curve of human-normalised scores; None where no reference is known."""
    return human_normalised(task, area_under_curve(steps, scores))


def areas(curves: Mapping[str, Curve]) -> dict[str, float]:
    """The mean height of each curve; UserError where they are not of the same span, for then they say nothing of each
    other."""
    spans = {name: (steps[0], steps[-1]) for name, (steps, _) in curves.items() if len(steps)}
    first = next(iter(spans), "")
    for name, (start, end) in spans.items():
        if (start, end) != spans[first]:
            raise UserError(
                f"The curve of {name} goes from {start:,g} to {end:,g} and that of {first} from {spans[first][0]:,g} "
                f"to {spans[first][1]:,g}: compare areas over the same steps."
            )
    return {name: area_under_curve(steps, scores) for name, (steps, scores) in curves.items()}


def _check(steps: Sequence[float], scores: Sequence[float], least: int) -> None:
    if len(steps) != len(scores) or len(steps) < least or not (np.diff(steps) > 0).all():
        raise UserError(
            f"A curve has a score for each of at least {least} rising steps, not {len(scores)} for {len(steps)}."
        )
    bad = np.flatnonzero(~np.isfinite(np.asarray(scores, np.float64)))
    if len(bad):
        raise UserError(f"The score at step {steps[bad[0]]:,g} is {scores[bad[0]]}: evaluate that step again.")
