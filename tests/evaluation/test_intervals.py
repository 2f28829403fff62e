"""t-intervals against scipy and against numbers done by hand."""

import math

import pytest

from twofold.evaluation.intervals import mean_interval, t_point


def test_the_points_are_those_of_the_t_distribution():
    stats = pytest.importorskip("scipy.stats")
    for freedom in range(1, 31):
        assert t_point(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=6e-5)
    assert t_point(1000) == pytest.approx(stats.norm.ppf(0.975), abs=6e-5)


def test_intervals_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = [0.71, 0.74, 0.69, 0.78]
    mean, half = mean_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=mean, scale=stats.sem(values))
    assert mean == pytest.approx(0.73) and (mean - half, mean + half) == pytest.approx((low, high), rel=1e-4)


def test_known_intervals():
    assert mean_interval([0.5]) == (0.5, None)
    assert mean_interval([0.25, 0.25, 0.25]) == (0.25, 0.0)
    mean, half = mean_interval([0.0, 1.0])
    assert mean == 0.5 and half == pytest.approx(12.7062 * math.sqrt(0.5) / math.sqrt(2))
