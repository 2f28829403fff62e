"""Cells: which of them match, where they lie in the picture, and what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from twofold.errors import UserError
from twofold.methods.cells import at, distances, matches
from twofold.methods.densecl import DenseCL
from twofold.nets.features import Grid
from twofold.seam import Geometry, Views

from .small import Tiny, made


def test_matches_are_the_nearest_cells_of_the_same_image():
    torch.manual_seed(0)
    queries, keys = (F.normalize(torch.randn(3, cells, 5), dim=2) for cells in (4, 6))
    found = matches(queries, keys)
    for b in range(3):
        for i in range(4):
            similar = [float(queries[b, i] @ keys[b, j]) for j in range(6)]
            assert found[b, i] == similar.index(max(similar))
            assert torch.equal(at(keys, found)[b, i], keys[b, found[b, i]])


def test_how_far_cells_lie_apart_in_the_picture():
    # A view of the whole picture of 40 x 40 px, and one of its upper left quarter, mirrored; 8 x 8 px, 4 x 4 cells.
    whole, quarter = torch.tensor([[0.0, 0, 40, 40]]), torch.tensor([[0.0, 0, 20, 20]])
    source = torch.tensor([[40.0, 40]])
    geometry = [Geometry(box, torch.tensor([turned]), source) for box, turned in ((whole, False), (quarter, True))]
    views = Views([torch.zeros(1, 3, 8, 8)] * 2, geometry, torch.arange(1))
    patches = Grid(4, 4, 2.0, 0.5)
    far = distances(views, 0, 1, patches)[0]
    # Whole: cell centres at 5, 15, 25, 35. Quarter, mirrored: 17.5, 12.5, 7.5, 2.5. Ten pixels are a coarser cell.
    across = [[abs(a - b) / 10 for b in (17.5, 12.5, 7.5, 2.5)] for a in (5, 15, 25, 35)]
    down = [[abs(a - b) / 10 for b in (2.5, 7.5, 12.5, 17.5)] for a in (5, 15, 25, 35)]
    for i in range(16):
        for j in range(16):
            expected = max(across[i % 4][j % 4], down[i // 4][j // 4])
            assert far[i, j] == pytest.approx(expected, abs=1e-5)
    assert distances(views, 0, 1, patches, pooled=2).shape == (1, 4, 4)


@pytest.mark.parametrize("name", ["densecl", "dsc"])
def test_what_cannot_be_compared_is_refused(name):
    class Single(Tiny):
        grid = Grid(1, 1, 32.0, 0.0)

    class Flat(Tiny):
        map_width, grid = None, None

    from ..tiny import make

    with pytest.raises(UserError, match="single cell: give a larger --image-size, or a --stem that shrinks less"):
        make(f"moco+{name}", Single())
    with pytest.raises(UserError, match="this backbone gives none; use a ResNet or a ViT"):
        make(f"moco+{name}", Flat())
    with pytest.raises(UserError, match=f"BYOL has none; use moco\\+{name}"):
        made(f"byol+{name}")
    with pytest.raises(UserError, match="a single cell"):
        made("moco", [DenseCL(grid=1)])
