"""Scores and intervals: against loops, and as others compute them (field notes 13, 31)."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.evaluation.atari_scores import SCORES, human_normalised
from twofold.control.evaluation.bootstrap import (
    STATISTICS,
    improvement,
    interquartile_mean,
    mean,
    mean_interval,
    optimality_gap,
    stratified,
)
from twofold.control.evaluation.curves import area_under_curve
from twofold.control.evaluation.scores import Score, aggregate, table_of
from twofold.errors import UserError


def test_the_table_of_the_benchmark_gives_its_published_sums():
    """Data-efficient Rainbow: mean 0.285 and median 0.161 of human-normalised scores over 26 games."""
    found = [human_normalised(f"ALE/{game}-v5", reference.efficient) for game, reference in SCORES.items()]
    assert len(found) == 26
    assert np.mean(found) == pytest.approx(0.285, abs=5e-4)
    assert np.median(found) == pytest.approx(0.161, abs=5e-4)
    assert human_normalised("ALE/Pong-v5", -20.7) == 0
    assert human_normalised("ALE/Pong-v5", 14.6) == pytest.approx(1)
    assert human_normalised("CartPole-v1", 3.0) is None
    assert human_normalised("ALE/Tetris-v5", 3.0) is None


def test_statistics_by_hand():
    scores = np.asarray([[0.0, 1.0], [0.5, 3.0], [0.1, 2.0], [0.2, 2.0]])
    flat = np.sort(scores.reshape(-1))
    assert interquartile_mean(scores) == pytest.approx(flat[2:6].mean())
    assert STATISTICS["median"](scores) == pytest.approx(np.median([0.2, 2.0]))
    assert optimality_gap(scores) == pytest.approx(1 - np.minimum(scores, 1).mean())
    assert mean(scores) == pytest.approx(scores.mean())
    from scipy import stats

    for size in (4, 7, 12, 26):
        drawn = np.random.default_rng(size).random((3, size))
        assert interquartile_mean(drawn) == pytest.approx(stats.trim_mean(drawn, 0.25, axis=None))


def test_seeds_are_drawn_within_tasks():
    """Tasks that differ without noise have no interval at all: only seeds are drawn again, never tasks."""
    low, high = stratified(np.asarray([[0.0, 10.0, 100.0]] * 4), mean)
    assert low == high == pytest.approx(110 / 3)


def test_intervals_are_those_of_a_loop():
    scores = np.random.default_rng(0).random((5, 3))
    rng, naive = np.random.default_rng(1), []
    for _ in range(15_000):
        drawn = np.stack([scores[rng.integers(5, size=5), task] for task in range(3)], axis=1)
        naive.append(interquartile_mean(drawn))
    np.testing.assert_allclose(
        stratified(scores, interquartile_mean, draws=20_000), np.percentile(naive, [2.5, 97.5]), atol=0.02
    )


@pytest.mark.parametrize("count", [10, 40])
def test_an_interval_covers_the_truth_as_often_as_it_says(count):
    inside = 0
    for seed in range(200):
        values = np.random.default_rng(seed).standard_normal(count)
        low, high = mean_interval(values.tolist(), seed, draws=400)
        inside += low <= 0 <= high
    assert 0.84 <= inside / 200 <= 0.99


def test_episodes_are_no_seeds():
    """Note 13: three seeds of 50 episodes with means 0, 5 and 10 are three numbers."""
    places = [(seed, episode) for seed in range(3) for episode in range(50)]
    scores = [Score("rainbow", "pong", seed, episode, 5.0 * seed + (-1) ** episode) for seed, episode in places]
    found = {one.statistic: one for one in aggregate(scores)}
    assert found["mean"].value == pytest.approx(5)
    assert found["mean"].high - found["mean"].low > 4
    assert (found["mean"].tasks, found["mean"].seeds, found["mean"].episodes) == (1, 3, 50)


def test_few_seeds_have_no_interval_and_it_is_said():
    (found, *_) = aggregate([Score("a", "t", seed, 0, 1.0) for seed in range(2)])
    assert found.low is None
    assert "2 seeds alone" in found.note


def test_tasks_with_other_numbers_of_seeds_are_refused():
    scores = [Score("a", "one", seed, 0, 1.0) for seed in range(3)] + [Score("a", "other", 0, 0, 1.0)]
    with pytest.raises(UserError, match="1 seeds of other and 3"):
        table_of(scores, "a")
    with pytest.raises(UserError, match="no scores of b"):
        table_of(scores, "b")


def test_improvement_counts_pairs():
    one, other = np.asarray([[1.0], [2.0]]), np.asarray([[1.0], [0.0], [3.0]])
    assert improvement(one, other) == pytest.approx((0.5 + 1 + 0 + 1 + 1 + 0) / 6)
    assert improvement(one, one) == 0.5


def test_the_area_is_the_mean_height():
    assert area_under_curve([0, 10, 20], [1, 1, 1]) == 1
    assert area_under_curve([10, 20, 40], [0, 2, 4]) == pytest.approx((10 * 1 + 20 * 3) / 30)
    for steps, scores in (([1], [2]), ([1, 1], [2, 3]), ([1, 2], [3])):
        with pytest.raises(UserError, match="rising steps"):
            area_under_curve(steps, scores)
