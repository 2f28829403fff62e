"""Statistics and intervals: by hand, by loops, and as rliable 1.2.0 has them.

RLIABLE are the numbers of `rliable.library.get_interval_estimates` and `rliable.metrics` of the tables ONE and OTHER
(seeds x tasks), 50,000 draws, method "percentile", random_state=RandomState(0), with arch 7.2.0 and pandas 2.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from twofold.control.evaluation import bootstrap
from twofold.control.evaluation.bootstrap import (
    improvement,
    improvement_interval,
    interquartile_mean,
    mean,
    mean_interval,
    median,
    optimality_gap,
    paired,
    stratified,
)

ONE = [
    [0.88, 1.13, 0.47, 0.82],
    [1.43, 1.43, 0.20, 0.33],
    [0.08, 0.71, 0.05, 0.73],
    [1.04, 0.45, 1.08, 0.95],
    [0.04, 0.89, 0.41, 0.66],
]
OTHER = [
    [0.40, 0.97, 0.62, 0.22],
    [0.76, 1.09, 0.43, 0.31],
    [0.54, 1.31, 1.37, 0.94],
    [1.26, 1.18, 0.53, 0.13],
    [0.91, 0.78, 0.51, 0.32],
]
RLIABLE = {  # value, low, high
    mean: (0.689, 0.524, 0.858),
    median: (0.696, 0.499, 0.884),
    interquartile_mean: (0.697, 0.487, 0.900),
    optimality_gap: (0.3665, 0.2315, 0.503),
}
RLIABLE_IMPROVEMENT = (0.47, 0.30, 0.65)


def tasks_of(table):
    """One array of seeds a task, of seeds x tasks."""
    return list(np.asarray(table, np.float64).T)


@pytest.mark.parametrize("statistic", RLIABLE, ids=lambda statistic: statistic.__name__)
def test_statistics_and_intervals_are_those_of_rliable(statistic):
    value, low, high = RLIABLE[statistic]
    assert statistic(tasks_of(ONE)) == pytest.approx(value, abs=1e-9)
    assert stratified(tasks_of(ONE), statistic, draws=50_000) == pytest.approx((low, high), abs=0.006)


def test_improvement_is_that_of_rliable():
    value, low, high = RLIABLE_IMPROVEMENT
    assert improvement(tasks_of(ONE), tasks_of(OTHER)) == pytest.approx(value)
    found = improvement_interval(tasks_of(ONE), tasks_of(OTHER), draws=50_000)
    assert found == pytest.approx((low, high), abs=0.011)  # a hundredth is one pair of a task


def test_the_middle_half_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for size in (1, 4, 7, 12, 26):
        drawn = np.random.default_rng(size).random((size, 3))
        assert interquartile_mean(tasks_of(drawn)) == pytest.approx(stats.trim_mean(drawn, 0.25, axis=None))


def test_tasks_weigh_alike_however_many_seeds_they_have():
    tasks = [np.asarray([1.0, 1.0, 1.0, 1.0]), np.asarray([3.0])]
    assert mean(tasks) == median(tasks) == 2
    assert optimality_gap(tasks, wanted=4.0) == 2
    assert interquartile_mean(tasks) == 1


def test_a_small_interval_is_that_of_all_possible_draws():
    """Three seeds can be drawn in 27 ways, all of them alike likely."""
    scores = np.asarray([0.0, 1.0, 7.0])
    every = sorted(scores[list(drawn)].mean() for drawn in itertools.product(range(3), repeat=3))
    assert stratified([scores], mean) == (every[0], every[-1])  # each extreme has 1 / 27, more than 2.5 %


def test_seeds_are_drawn_within_tasks():
    """Tasks that differ without noise have no interval at all: only seeds are drawn again, never tasks."""
    low, high = stratified(tasks_of([[0.0, 10.0, 100.0]] * 4), mean)
    assert low == high == pytest.approx(110 / 3)


def test_tasks_are_drawn_apart_from_each_other():
    """The same noise in many tasks averages out; drawn together, it would not."""
    scores = np.random.default_rng(0).standard_normal(8)
    (low, high), (wide_low, wide_high) = stratified([scores] * 25, mean), stratified([scores], mean)
    assert (high - low) * 5 == pytest.approx(wide_high - wide_low, rel=0.15)


def test_intervals_are_those_of_a_loop():
    tasks = [np.random.default_rng(seed).random(count) for seed, count in enumerate((5, 3, 6))]
    rng, naive = np.random.default_rng(1), []
    for _ in range(10_000):
        drawn = sorted(rng.choice(task) for task in tasks for _ in task)
        naive.append(np.mean(drawn[3:-3]))  # of 14
    found = stratified(tasks, interquartile_mean, draws=10_000)
    np.testing.assert_allclose(found, np.percentile(naive, [2.5, 97.5]), atol=0.02)


@pytest.mark.parametrize("count", [10, 40])
def test_an_interval_covers_the_truth_as_often_as_it_says(count):
    inside = 0
    for seed in range(200):
        low, high = mean_interval(np.random.default_rng(seed).standard_normal(count).tolist(), seed, draws=400)
        inside += low <= 0 <= high
    assert 0.84 <= inside / 200 <= 0.99


def test_intervals_follow_from_the_seed_alone():
    tasks = tasks_of(ONE)
    assert stratified(tasks, mean, 1, 100) == stratified(tasks, mean, 1, 100) != stratified(tasks, mean, 2, 100)
    both = tasks, tasks_of(OTHER)
    assert paired(*both, mean, 1, 100) == paired(*both, mean, 1, 100) != paired(*both, mean, 2, 100)
    again = improvement_interval(*both, 1, 100)
    assert again == improvement_interval(*both, 1, 100)


def test_much_is_drawn_in_parts(monkeypatch):
    """A part for each draw: the interval is of as many draws as ever."""
    whole = stratified(tasks_of(ONE), mean, draws=2000)
    monkeypatch.setattr(bootstrap, "AT_ONCE", 1)
    assert stratified(tasks_of(ONE), mean, draws=2000) == pytest.approx(whole, abs=0.03)


def test_what_seeds_have_in_common_falls_out_of_a_paired_difference():
    shared, rng = 100 * np.random.default_rng(0).standard_normal(10), np.random.default_rng(1)
    one, other = shared + 1 + 0.1 * rng.standard_normal(10), shared + 0.1 * rng.standard_normal(10)
    low, high = paired([one], [other], mean)
    assert 0.8 < low < 1 < high < 1.2
    assert paired([one], [one], interquartile_mean) == (0, 0)
    assert paired([other], [one], mean) == pytest.approx((-high, -low))


def test_improvement_counts_pairs():
    one, other = [np.asarray([1.0, 2.0])], [np.asarray([1.0, 0.0, 3.0])]
    assert improvement(one, other) == pytest.approx((0.5 + 1 + 0 + 1 + 1 + 0) / 6)
    assert improvement(one, one) == 0.5
    assert improvement([one[0] + 9], other) == 1
    assert improvement_interval([one[0] + 9], other) == (1, 1)
