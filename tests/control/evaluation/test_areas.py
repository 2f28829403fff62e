"""Learning curves: their mean height, and their end (field note 31)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twofold.control.evaluation.curves import area_under_curve, end_of
from twofold.errors import UserError


def test_the_area_is_the_mean_height():
    assert area_under_curve([0, 10, 20], [1, 1, 1]) == 1
    assert area_under_curve([10, 20, 40], [0, 2, 4]) == pytest.approx((10 * 1 + 20 * 3) / 30)
    steps, scores = np.arange(5), np.random.default_rng(0).random(5)
    assert area_under_curve(steps * 1000 + 7, scores) == pytest.approx(area_under_curve(steps, scores))


def test_the_last_counts_and_the_best_has_its_own_name():
    """Note 31: curve 1, 9, 2."""
    found = end_of([100, 200, 300], [1, 9, 2])
    assert (found.last, found.best, found.best_step) == (2, 9, 200)
    assert end_of([100], [1]).best_step == 100


@pytest.mark.parametrize("steps, scores", [([1], [2]), ([1, 1], [2, 3]), ([2, 1], [2, 3]), ([1, 2], [3]), ([], [])])
def test_what_is_no_curve_is_refused(steps, scores):
    with pytest.raises(UserError, match="at least 2 rising steps"):
        area_under_curve(steps, scores)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused_with_their_step(bad):
    with pytest.raises(UserError, match="step 1,000"):
        area_under_curve([0, 1000, 2000], [1, bad, 1])
    with pytest.raises(UserError, match="step 0"):
        end_of([0], [bad])
