"""A learning curve as one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twofold.errors import UserError


def area_under_curve(steps: Sequence[float], scores: Sequence[float]) -> float:
    """The mean height of a curve through these points, by trapezoids over the span of the steps."""
    x, y = np.asarray(steps, np.float64), np.asarray(scores, np.float64)
    if len(x) != len(y) or len(x) < 2 or not (np.diff(x) > 0).all():
        raise UserError(f"A curve has a score for each of at least two rising steps, not {len(y)} for {len(x)}.")
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / (x[-1] - x[0]))
