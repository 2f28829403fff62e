"""Probes of the return: at chance on noise, right on what is planted, split by whole episodes."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.episode import Episode
from twofold.control.evaluation.probe import RIDGES, knn_probe, ridge_probe, split_episodes
from twofold.control.evaluation.returns import targets_of
from twofold.errors import UserError


def planted(steps: int, width: int, seed: int = 0, noise: float = 0.1):
    """Features, returns that are linear in them, and episodes of 20 steps."""
    rng = np.random.default_rng(seed)
    features, weight = rng.standard_normal((2 * steps, width)), rng.standard_normal(width) / np.sqrt(width)
    returns = features @ weight + noise * rng.standard_normal(2 * steps) + 3
    episodes = np.arange(steps) // 20
    return features[:steps], returns[:steps], episodes, features[steps:], returns[steps:]


@pytest.mark.parametrize("steps", [60, 400])
@pytest.mark.parametrize("width", [3, 50, 800])
def test_noise_tells_nothing_at_any_size(steps, width):
    found = []
    for seed in range(6):
        features, returns, episodes, asked, truth = planted(steps, width, seed)
        rng = np.random.default_rng(100 + seed)
        rng.shuffle(returns)
        found.append(
            [
                ridge_probe(features, returns, episodes, asked, rng.permutation(truth)).r2,
                knn_probe(features, returns, asked, rng.permutation(truth)).r2,
            ]
        )
    assert np.mean(found, axis=0).max() < 0.05


def test_what_is_planted_is_found():
    found = ridge_probe(*planted(800, 10))
    assert found.r2 > 0.97
    assert (found.steps, found.episodes, found.asked) == (800, 40, 800)
    assert "800 steps of 40 episodes" in found.describe()
    assert knn_probe(*[planted(800, 2)[i] for i in (0, 1, 3, 4)]).r2 > 0.7  # cosines know no length


@pytest.mark.parametrize("width", [5, 300])
def test_the_regression_is_that_of_the_normal_equations(width):
    features, returns, episodes, asked, truth = planted(200, width)
    found = ridge_probe(features, returns, episodes, asked, truth)
    ridge = float(found.setting.removeprefix("ridge "))
    assert ridge in RIDGES
    middle, spread = features.mean(0), features.std(0)
    x, z = ((rows - middle) / spread for rows in (features, asked))
    weight = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(width), x.T @ (returns - returns.mean()))
    told = returns.mean() + z @ weight
    r2 = 1 - ((told - truth) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(r2, abs=1e-4)


def test_neighbours_are_those_of_a_loop():
    features, returns, _, asked, truth = planted(60, 4)
    x, z = ((rows - features.mean(0)) / features.std(0) for rows in (features, asked))
    told = []
    for row in z:
        cosine = x @ row / np.linalg.norm(x, axis=1) / np.linalg.norm(row)
        told.append(returns[np.argsort(-cosine)[:7]].mean())
    r2 = 1 - ((np.asarray(told) - truth) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    assert knn_probe(features, returns, asked, truth, k=7).r2 == pytest.approx(r2, abs=1e-6)


def test_neither_scale_nor_order_matters():
    features, returns, episodes, asked, truth = planted(200, 6)
    plain = ridge_probe(features, returns, episodes, asked, truth).r2
    scale = np.asarray([1, 10, 0.1, 5, 1, 100.0])
    assert ridge_probe(features * scale, returns, episodes, asked * scale, truth).r2 == pytest.approx(plain, abs=1e-4)
    order = np.random.default_rng(0).permutation(200)
    shuffled = ridge_probe(features[order], returns[order], episodes[order], asked, truth).r2
    assert shuffled == pytest.approx(plain, abs=1e-4)


def test_a_unit_that_hardly_ever_fires_does_not_decide():
    """One that is 0 but once in what is learned from, and fires often in what is asked about."""
    features, returns, episodes, asked, truth = planted(400, 4)
    rare, often = np.zeros((400, 1)), np.full((400, 1), 1.0)
    rare[7] = 0.01
    found = ridge_probe(np.hstack([features, rare]), returns, episodes, np.hstack([asked, often]), truth)
    assert found.r2 > 0.8


def test_features_without_any_spread_tell_nothing():
    _, returns, episodes, _, truth = planted(100, 3)
    flat = np.ones((100, 3))
    assert ridge_probe(flat, returns, episodes, flat, truth).r2 <= 0
    assert ridge_probe(flat, np.ones(100), episodes, flat, np.ones(100)).r2 == 0


def test_what_cannot_be_asked_is_refused():
    features, returns, _, asked, truth = planted(100, 3)
    with pytest.raises(UserError, match="at least two to learn from"):
        ridge_probe(features, returns, np.zeros(100, np.int64), asked, truth)
    with pytest.raises(UserError, match="smaller --gamma"):
        knn_probe(features[:0], returns[:0], asked, truth)
    with pytest.raises(UserError, match="not finite"):
        knn_probe(features * np.nan, returns, asked, truth)
    with pytest.raises(UserError, match="at least two"):
        split_episodes(1, 0)


def test_episodes_are_parted_whole_and_by_the_seed():
    learned, aside = split_episodes(10, 3)
    assert sorted([*learned, *aside]) == list(range(10))
    assert len(aside) == 3
    assert (learned, aside) == split_episodes(10, 3)
    assert aside != split_episodes(10, 4)[1]
    assert len(split_episodes(2, 0)[1]) == 1


def test_the_tail_of_what_was_cut_off_is_not_asked_about():
    rewards, nothing = np.ones(120, np.float32), np.zeros(120, bool)
    made = [
        Episode(np.zeros((121, 2), np.float32), np.zeros(120, np.int64), rewards, nothing, ended, not ended)
        for ended in (True, False)
    ]
    values, known, numbers = targets_of(made, 0.97)
    assert known.tolist() == [True] * 120 + [True] * 22 + [False] * 98
    assert numbers.tolist() == [0] * 120 + [1] * 120
    assert values[0] == pytest.approx((1 - 0.97**120) / 0.03, rel=1e-5)
