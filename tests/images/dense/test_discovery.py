"""Objects by similarity alone: planted ones are found, formulas against loops, boxes against what they contain."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import PLAIN, boxes, labelled
from twofold.images.dense.discovery import box_of, connected, discovery, is_hit, lost, token_cut
from twofold.images.dense.grid import Axis, Grid, unit
from twofold.images.dense.maps import MapSet, RawPixels

RAW = RawPixels(PLAIN, 4, 1.5)


def planted(seed, shape=(8, 12), rows=(2, 5), columns=(6, 10)):
    """Unit cells of a picture with one object, unlike the ground; and where it is."""
    draws = torch.Generator().manual_seed(seed)
    thing = torch.zeros(shape, dtype=torch.bool)
    thing[rows[0] : rows[1], columns[0] : columns[1]] = True
    ground, other = torch.linalg.qr(torch.randn(16, 2, generator=draws)).Q.T
    kind = other - 0.5 * ground
    cells = torch.where(thing.flatten()[:, None], kind, ground) + 0.05 * torch.randn(thing.numel(), 16, generator=draws)
    return unit(cells).double(), thing


@pytest.mark.parametrize("method", [lost, token_cut])
def test_a_planted_object_is_found(method):
    for seed in range(5):
        cells, thing = planted(seed)
        assert torch.equal(method(cells, thing.shape), thing)


def test_lost_against_loops():
    draws = torch.Generator().manual_seed(3)
    cells = unit(torch.randn(30, 4, generator=draws)).double()
    similar = [[(a @ b).item() for b in cells] for a in cells]
    degree = [sum(s >= 0 for s in row) for row in similar]
    seed = degree.index(min(degree))
    few = sorted(range(30), key=lambda i: (degree[i], i))[: round(30 * 100 / 1200)]
    joined = [i for i in few if i == seed or similar[seed][i] > 0]
    inside = torch.tensor([sum(similar[i][j] for j in joined) >= 0 for i in range(30)]).view(5, 6)
    assert torch.equal(lost(cells, (5, 6)), connected(inside, seed))


def test_the_cut_is_the_generalised_eigenvector():
    cells, thing = planted(1, (4, 5), (1, 3), (1, 3))
    weights = torch.where(cells @ cells.T >= 0.2, 1.0, 1e-5).double()
    degrees = torch.diag(weights.sum(1))
    values, vectors = torch.linalg.eig(torch.linalg.inv(degrees) @ (degrees - weights))
    second = vectors.real[:, values.real.argsort()[1]]
    side = second > second.mean()
    seed = int(second.abs().argmax())
    expected = connected((side if side[seed] else ~side).view(4, 5), seed)
    assert torch.equal(token_cut(cells, (4, 5)), expected) and torch.equal(expected, thing)


def test_cells_are_connected_by_their_sides():
    inside = torch.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=torch.bool)
    assert connected(inside, 0).long().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert connected(inside, 5).long().tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert not connected(inside, 4).any()


def test_boxes_hold_their_cells_and_stay_inside():
    inside = torch.zeros(4, 6, dtype=torch.bool)
    inside[1:3, 2] = True
    patches = Grid(Axis(64, 32, 4, 8, 3.5), Axis(48, 48, 6, 8, 3.5))
    assert box_of(inside, patches).tolist() == [16, 16, 24, 48]
    around = Grid(Axis(100, 100, 4, 32, 0.0), Axis(170, 170, 6, 32, 0.0))
    assert box_of(inside, around).tolist() == [48.5, 16.5, 80.5, 80.5]
    inside[0, 0] = inside[3, 5] = True
    assert box_of(inside, around).tolist() == [0, 0, 170, 100]


def test_hits():
    true = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    found = torch.tensor([[0.0, 0, 10, 5], [0, 0, 10, 4.9], [48, 48, 60, 60], [100, 100, 110, 110]])
    assert is_hit(found, true).tolist() == [True, False, True, False]


def test_corloc_over_pictures():
    draws = torch.Generator().manual_seed(0)
    pictures, instances = [], []
    for i in range(6):
        picture = torch.randint(60, 80, (3, 32, 48), generator=draws, dtype=torch.uint8)
        picture[0, 8:20, 16:32] += 150
        pictures.append(picture)
        rows = [[0, 0, 48, 32], [16, 8, 32, 20]] if i < 4 else [[0, 20, 8, 32]]
        instances.append(boxes(rows, [0] * len(rows), [True, False][: len(rows)] if i < 4 else None))
    instances[5] = boxes([], [])
    told = []
    found = discovery(MapSet(RAW, labelled(pictures, None, instances)), on_progress=lambda *done: told.append(done))
    assert (found.lost, found.token_cut, found.whole) == (0.8, 0.8, 0.0)
    assert (found.pictures, found.without) == (5, 1) and told[-1] == (10, 10)


def test_large_maps_are_pooled(monkeypatch):
    monkeypatch.setattr("twofold.images.dense.discovery.MOST_CELLS", 30)
    picture = torch.full((3, 32, 48), 60, dtype=torch.uint8)
    picture[0, 8:24, 16:32] += 150
    data = labelled([picture], None, [boxes([[16, 8, 32, 24]], [0])])
    found = discovery(MapSet(RAW, data))
    assert (found.lost, found.token_cut) == (1, 1)
