"""The normalised adjacency by its definition; propagation and its backward pass against dense matrices."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.testing import assert_close

from twofold.interactions.graph import Bipartite, adjacency, propagate

from .graph_data import ITEMS, USERS, dense, graph, random_graph


@pytest.mark.parametrize("data", [graph(), random_graph()], ids=["odd nodes", "random"])
def test_adjacency_is_its_definition_and_symmetric(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = adjacency(*data, dtype=torch.float64).to_dense()
    assert_close(found, dense(data))
    assert torch.equal(found, found.T)


def test_nodes_without_pairs_stay_zero_and_nothing_divides_by_zero():
    found = adjacency(*graph()).to_dense()
    assert torch.isfinite(found).all()
    assert found[1].abs().sum() == 0 and found[:, USERS + 4].abs().sum() == 0
    empty = adjacency(torch.empty(0, 2, dtype=torch.int64), 2, 3)
    assert empty.to_dense().abs().sum() == 0 and empty.shape == (5, 5)


def test_the_order_of_pairs_does_not_matter():
    data = random_graph()
    turned = data._replace(pairs=data.pairs[torch.randperm(len(data.pairs))])
    assert_close(adjacency(*turned).to_dense(), adjacency(*data).to_dense())


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_propagation_is_the_mean_of_powers(layers):
    data = graph()
    rows = torch.randn(USERS + ITEMS, 4, dtype=torch.float64, requires_grad=True)
    a, power, total = dense(data), rows, rows
    for _ in range(layers):
        power = a @ power
        total = total + power
    expected = total / (layers + 1)
    found = propagate([adjacency(*data, dtype=torch.float64)] * layers, rows)
    assert_close(found, expected)
    weights = torch.randn_like(rows)
    ours, theirs = (torch.autograd.grad((out * weights).sum(), rows)[0] for out in (found, expected))
    assert_close(ours, theirs)


def test_each_layer_may_have_a_graph_of_its_own():
    one, other = random_graph(seed=1), random_graph(seed=2)
    matrices = [adjacency(*data, dtype=torch.float64) for data in (one, other)]
    rows = torch.randn(70, 3, dtype=torch.float64, requires_grad=True)
    assert_close(propagate(matrices, rows), (rows + dense(one) @ rows + dense(other) @ dense(one) @ rows) / 3)
    assert torch.autograd.gradcheck(lambda r: propagate(matrices, r), rows)


def test_a_million_pairs_make_no_dense_matrix():
    drawn = torch.Generator().manual_seed(0)
    keys = torch.randint(0, 50_000 * 40_000, (300_000,), generator=drawn).unique()
    pairs = torch.stack([keys // 40_000, keys % 40_000], 1)
    matrix = adjacency(*Bipartite(pairs, 50_000, 40_000))
    assert matrix.values().numel() == 2 * len(pairs)
