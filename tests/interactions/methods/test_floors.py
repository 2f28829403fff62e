"""Rankers without training against dense formulas in float64."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.interactions.graph import Bipartite
from twofold.interactions.methods import floors
from twofold.interactions.methods.floors import GraphFilter, ItemKNN, Popularity
from twofold.interactions.ragged import Ragged

USERS, ITEMS = 30, 40
EVERYONE = torch.arange(USERS)


def matrix():
    """R: user 0 and item 0 have nothing, user 1 has everything else."""
    filled = np.random.default_rng(0).random((USERS, ITEMS)) < np.linspace(0.02, 0.4, ITEMS)
    filled[1] = True
    filled[0], filled[:, 0] = False, False
    return filled


@pytest.fixture
def pairs():
    shuffled = np.random.default_rng(1).permutation(np.argwhere(matrix()))
    return Bipartite(torch.from_numpy(np.concatenate([shuffled, shuffled[:5]])), USERS, ITEMS)  # repeats count once


def root(degree):
    return np.where(degree > 0, np.maximum(degree, 1) ** -0.5, 0)


def loop_knn(filled, n):
    """For each user and item: the cosines of the item's n nearest (ties to the lower id) that the user has."""
    together = filled.astype(int).T @ filled
    degree = np.diag(together)
    cosine = together * root(degree)[:, None] * root(degree)
    exact = [[together[i, j] ** 2 / max(degree[j], 1) for j in range(ITEMS)] for i in range(ITEMS)]
    scores = np.zeros((USERS, ITEMS))
    for i in range(ITEMS):
        nearest = sorted(range(ITEMS), key=lambda j: (-exact[i][j], j))[:n]
        for u in range(USERS):
            scores[u, i] = sum(cosine[i, j] for j in nearest if filled[u, j])
    return torch.from_numpy(scores).float()


def test_popularity_counts_users(pairs):
    scores = Popularity(pairs).scores(torch.tensor([3, 0]))
    assert scores.tolist() == [matrix().sum(0).tolist()] * 2


@pytest.mark.parametrize("block", [1, 7, 128])
def test_the_graph_filter_is_its_formula(pairs, block, monkeypatch):
    monkeypatch.setattr(floors, "_BLOCK", block)
    r = matrix().astype(float)
    normalised = root(r.sum(1))[:, None] * r * root(r.sum(0))
    expected = torch.from_numpy(r @ normalised.T @ normalised).float()
    filter_ = GraphFilter(pairs)
    assert_close(filter_.scores(EVERYONE), expected)
    assert_close(filter_.scores(torch.tensor([9, 1, 9])), expected[[9, 1, 9]])


@pytest.mark.parametrize("block", [7, 128])
@pytest.mark.parametrize("neighbours", [1, 5, 100])
def test_item_knn_is_the_loop(pairs, neighbours, block, monkeypatch):
    monkeypatch.setattr(floors, "_BLOCK", block)
    scores = ItemKNN(pairs, neighbours=neighbours).scores(EVERYONE)
    assert_close(scores, loop_knn(matrix(), neighbours))


@pytest.mark.parametrize("kind", [Popularity, GraphFilter, ItemKNN])
def test_no_pairs_give_zeros(kind):
    scores = kind(Bipartite(torch.empty(0, 2, dtype=torch.int64), 3, 4)).scores(torch.arange(3))
    assert scores.tolist() == [[0.0] * 4] * 3


@pytest.mark.parametrize("kind", [Popularity, GraphFilter, ItemKNN])
def test_other_users_are_ranked_for_by_their_own_items(pairs, kind):
    floor, own = kind(pairs), Ragged.of(pairs.pairs, USERS)
    turned = torch.arange(USERS - 1, -1, -1)
    others = Ragged.of(torch.stack([turned[pairs.pairs[:, 0]], pairs.pairs[:, 1]], dim=1), USERS)
    assert_close(floor.scores(EVERYONE, others), floor.scores(turned))
    assert_close(floor.scores(EVERYONE, own), floor.scores(EVERYONE))
