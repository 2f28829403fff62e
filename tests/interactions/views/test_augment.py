"""Views of a graph: how much is dropped, normalised by their own degrees, drawn by (seed, keys)."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from twofold.interactions.graph import Bipartite
from twofold.interactions.views.augment import draw_view, drop_edges, drop_nodes, without

from ..graph_data import dense, random_graph

DATA = random_graph()


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.37, 0.9])
def test_edge_dropout_keeps_exactly_the_floor(ratio):
    kept = drop_edges(DATA.pairs, ratio, drawn())
    assert len(kept) == int(len(DATA.pairs) * (1 - ratio))
    known = {tuple(pair) for pair in DATA.pairs.tolist()}
    found = [tuple(pair) for pair in kept.tolist()]
    assert len(set(found)) == len(found) and set(found) <= known


def test_every_edge_is_dropped_as_often_as_the_others():
    counts = torch.zeros(DATA.users, DATA.items)
    for seed in range(400):
        kept = drop_edges(DATA.pairs, 0.3, drawn(seed))
        counts[kept[:, 0], kept[:, 1]] += 1
    shares = counts[DATA.pairs[:, 0], DATA.pairs[:, 1]] / 400
    assert shares.mean().item() == pytest.approx(0.7, abs=0.01) and shares.min() > 0.58 and shares.max() < 0.82


def test_node_dropout_removes_all_pairs_of_exactly_the_floor_of_both_kinds():
    kept = drop_nodes(DATA.pairs, DATA.users, DATA.items, 0.25, drawn())
    left_users, left_items = (set(DATA.pairs[:, c].tolist()) - set(kept[:, c].tolist()) for c in (0, 1))
    assert len(left_users) == int(0.25 * DATA.users) and len(left_items) == int(0.25 * DATA.items)
    gone = [torch.tensor(sorted(part)) for part in (left_users, left_items)]
    assert_close(kept, without(DATA.pairs, DATA.users, DATA.items, *gone))


@pytest.mark.parametrize("kind", ["ed", "nd", "rw"])
def test_views_are_normalised_by_their_own_degrees_and_drawn_by_seed_and_keys(kind):
    def view(seed=0, keys=(3, 0)):
        return draw_view(*DATA, kind=kind, ratio=0.3, layers=3, seed=seed, keys=keys)

    layers = [matrix.to_dense() for matrix in view()]
    for found in layers:
        user, item = torch.nonzero(found[: DATA.users, DATA.users :], as_tuple=True)
        own = Bipartite(torch.stack([user, item], 1), DATA.users, DATA.items)
        assert_close(found, dense(own).float())
    assert all(torch.equal(a.to_dense(), b) for a, b in zip(view(), layers, strict=True))
    for other in (view(seed=1), view(keys=(4, 0)), view(keys=(3, 1))):
        assert not torch.equal(other[0].to_dense(), layers[0])
    distinct = {tuple(layer.flatten().tolist()) for layer in layers}
    assert len(distinct) == (3 if kind == "rw" else 1)


def test_nothing_dropped_is_the_whole_graph():
    for kind in ("ed", "nd", "rw"):
        for matrix in draw_view(*DATA, kind=kind, ratio=0.0, layers=2, seed=0, keys=(0, 0)):
            assert_close(matrix.to_dense(), dense(DATA).float())
