"""Probes of the return: at chance on noise, right on what is planted, split by whole episodes."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.control.evaluation import probe
from twofold.control.evaluation.probe import RIDGES, knn_probe, ridge_probe, split_episodes
from twofold.errors import UserError


def planted(steps: int, width: int, seed: int = 0, noise: float = 0.1):
    """Features, returns that are linear in them, and episodes of 20 steps."""
    rng = np.random.default_rng(seed)
    features, weight = rng.standard_normal((2 * steps, width)), rng.standard_normal(width) / np.sqrt(width)
    returns = features @ weight + noise * rng.standard_normal(2 * steps) + 3
    episodes = np.arange(steps) // 20
    return features[:steps], returns[:steps], episodes, features[steps:], returns[steps:]


def of_noise(count: int, width: int, seed: int, shared: bool):
    """`count` episodes of 20 steps to learn from and as many to ask about, in which features say nothing of returns.

    shared: all steps of an episode have nearly the same features and returns, as returns are smooth.
    """
    rng = np.random.default_rng([seed, count, width])
    features, returns = rng.standard_normal((40 * count, width)), rng.standard_normal(40 * count)
    if shared:
        features = 0.3 * features + np.repeat(rng.standard_normal((2 * count, width)), 20, 0)
        returns = 0.1 * returns + np.repeat(rng.standard_normal(2 * count), 20)
    half = 20 * count
    return features[:half], returns[:half], np.arange(half) // 20, features[half:], returns[half:]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("width", [2, 50, 450])
def test_noise_tells_nothing_at_any_size(count, width, shared):
    """Beyond what chance explains of the mean over draws, nothing is told, though widths reach beyond the steps."""
    found = []
    for seed in range(40 if count == 3 else 8):
        features, returns, episodes, asked, truth = of_noise(count, width, seed, shared)
        linear = ridge_probe(features, returns, episodes, asked, truth)
        found.append([linear.r2, knn_probe(features, returns, asked, truth).r2])
    chance = 2 * np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.mean(found, axis=0) <= chance + 1e-3).all()
    assert np.mean(found) < 0.02


def test_features_that_tell_episodes_apart_alone_are_not_trusted():
    """Folds of steps would find each episode's own return in its features, and so choose a small penalty."""
    by_episode, by_step = [], []
    for seed in range(8):
        features, returns, episodes, asked, truth = of_noise(20, 50, seed, True)
        by_episode.append(ridge_probe(features, returns, episodes, asked, truth).r2)
        by_step.append(ridge_probe(features, returns, np.arange(400), asked, truth).r2)
    assert np.mean(by_episode) > -0.2
    assert np.mean(by_step) < -0.5


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
    ridge = found.ridge
    assert ridge in RIDGES and ridge < np.inf
    middle, spread = features.mean(0), features.std(0)
    x, z = ((rows - middle) / spread for rows in (features, asked))
    weight = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(width), x.T @ (returns - returns.mean()))
    told = returns.mean() + z @ weight
    r2 = 1 - ((told - truth) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(r2, abs=1e-9)


def test_neighbours_are_those_of_a_loop():
    features, returns, _, asked, truth = planted(60, 4)
    x, z = ((rows - features.mean(0)) / features.std(0) for rows in (features, asked))
    told = []
    for row in z:
        cosine = x @ row / np.linalg.norm(x, axis=1) / np.linalg.norm(row)
        told.append(returns[np.argsort(-cosine)[:7]].mean())
    r2 = 1 - ((np.asarray(told) - truth) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    found = knn_probe(features, returns, asked, truth, k=7, episodes=3)
    assert found.r2 == pytest.approx(r2, abs=1e-12)
    assert (found.k, found.ridge, found.episodes, found.precision) == (7, None, 3, "float64")


def test_the_penalty_is_the_one_that_serves_episodes_left_out_best():
    """By a loop over folds of episodes, each with its own means and deviations."""
    features, returns, episodes, asked, truth = planted(120, 30, noise=1.0)
    folds, errors = episodes % 5, []
    for ridge in RIDGES[:-1]:
        error = 0.0
        for fold in range(5):
            x, y = features[folds != fold], returns[folds != fold]
            middle, spread = x.mean(0), x.std(0)
            x, z = (x - middle) / spread, (features[folds == fold] - middle) / spread
            weight = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(30), x.T @ (y - y.mean()))
            error += ((y.mean() + z @ weight - returns[folds == fold]) ** 2).sum()
        errors.append(error)
    assert ridge_probe(features, returns, episodes, asked, truth).ridge == RIDGES[int(np.argmin(errors))]


@pytest.mark.parametrize("width", [6, 300])
def test_neither_scale_nor_place_nor_order_nor_names_matter(width):
    features, returns, episodes, asked, truth = planted(200, width)
    linear, near = ridge_probe(features, returns, episodes, asked, truth), knn_probe(features, returns, asked, truth)
    scale, place = 10.0 ** np.linspace(-12, 12, width), np.linspace(-3, 3, width)
    order, other = np.random.default_rng(0).permutation(200), np.random.default_rng(1).permutation(200)
    for again, names in ((scale * (features + place), episodes), (features, 7 * episodes - 3)):
        new = scale * (asked + place) if names is episodes else asked
        moved = ridge_probe(again[order], returns[order], names[order], new[other], truth[other])
        assert moved.r2 == pytest.approx(linear.r2, abs=1e-9)
        assert moved.ridge == linear.ridge
        assert knn_probe(again[order], returns[order], new[other], truth[other]).r2 == pytest.approx(near.r2, abs=1e-9)


def test_returns_may_be_scaled_and_moved():
    features, returns, episodes, asked, truth = planted(200, 6)
    plain = ridge_probe(features, returns, episodes, asked, truth).r2
    moved = ridge_probe(features, 1e6 * returns - 5e5, episodes, asked, 1e6 * truth - 5e5).r2
    assert moved == pytest.approx(plain, abs=1e-9)


def test_float32_features_give_what_float64_would():
    features, returns, episodes, asked, truth = planted(300, 20)
    small, few = features.astype(np.float32), asked.astype(np.float32)
    found = ridge_probe(small, returns.astype(np.float32), episodes, few, truth.astype(np.float32))
    assert found.r2 == pytest.approx(ridge_probe(features, returns, episodes, asked, truth).r2, abs=1e-5)


def test_neighbours_that_are_equally_near_share_the_place():
    """Two kinds of features, three steps of each: the nearest 4 are the three of the same kind and a third of the
    others; whatever the order, and however many cosines are held at once."""
    kinds, returns = np.asarray([[0.0, 1.0], [1.0, 0.0]])[[0, 0, 0, 1, 1, 1]], np.asarray([0.0, 1, 2, 9, 10, 11])
    told = np.asarray([(0 + 1 + 2 + 10) / 4, (9 + 10 + 11 + 1) / 4])
    truth = np.asarray([3.0, 8.0])
    r2 = 1 - ((told - truth) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(6)
        found = knn_probe(kinds[order], returns[order], kinds[[0, 3]], truth, k=4)
        assert found.r2 == pytest.approx(r2, abs=1e-12)


def test_neighbours_are_sought_in_parts(monkeypatch):
    features, returns, _, asked, truth = planted(60, 4)
    whole = knn_probe(features, returns, asked, truth).r2
    monkeypatch.setattr(probe, "AT_ONCE", 7 * 60)
    assert knn_probe(features, returns, asked, truth).r2 == pytest.approx(whole, abs=1e-12)
    assert knn_probe(features, returns, asked, truth, k=1000).r2 == pytest.approx(
        knn_probe(features, returns, asked, truth, k=60).r2
    )


def test_a_unit_that_hardly_ever_fires_does_not_decide():
    """One that is 0 but once in what is learned from, and fires often in what is asked about."""
    features, returns, episodes, asked, truth = planted(400, 4)
    rare, often = np.zeros((400, 1)), np.full((400, 1), 1.0)
    rare[7] = 0.01
    found = ridge_probe(np.hstack([features, rare]), returns, episodes, np.hstack([asked, often]), truth)
    assert found.r2 > 0.8


@pytest.mark.parametrize("value", [0.0, 1.0, 1234.567, 1e-20])
def test_features_without_any_spread_tell_nothing(value):
    """Nor does what rounding leaves of it."""
    _, returns, episodes, _, truth = planted(100, 3)
    rounded = np.nextafter(np.float32(value), np.float32(np.inf)) if value else np.float32(0)
    flat = np.full((100, 3), value, np.float32)
    flat[::3] = rounded
    found = ridge_probe(flat, returns, episodes, flat, truth)
    assert found.ridge == np.inf
    lost = 1 - ((truth - returns.mean()) ** 2).sum() / ((truth - returns.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(lost, abs=1e-12) == 0
    assert knn_probe(flat, returns, flat, truth).r2 == pytest.approx(0, abs=1e-12)


def test_returns_that_are_all_alike_are_told_by_nothing():
    features, _, episodes, asked, _ = planted(100, 3)
    same = np.full(100, 0.7)
    assert same.mean() != 0.7  # so that rounding alone would be told
    assert ridge_probe(features, same, episodes, asked, same).r2 == 0
    assert knn_probe(features, same, asked, same).r2 == 0
    other = ridge_probe(features, same, episodes, asked, same + np.arange(100)).r2
    assert other == 0


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
    assert set(aside) < set(split_episodes(10, 3, share=0.6)[1])
    assert len(split_episodes(2, 0)[1]) == 1
