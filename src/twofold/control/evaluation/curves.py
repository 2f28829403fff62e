"""A learning curve as one number: its mean height, or its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twofold.errors import UserError


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


def _check(steps: Sequence[float], scores: Sequence[float], least: int) -> None:
    if len(steps) != len(scores) or len(steps) < least or not (np.diff(steps) > 0).all():
        raise UserError(
            f"A curve has a score for each of at least {least} rising steps, not {len(scores)} for {len(steps)}."
        )
    bad = np.flatnonzero(~np.isfinite(np.asarray(scores, np.float64)))
    if len(bad):
        raise UserError(f"The score at step {steps[bad[0]]:,g} is {scores[bad[0]]}: evaluate that step again.")
