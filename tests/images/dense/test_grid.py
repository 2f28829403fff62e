"""Where cells lie: against torch's own interpolation where both agree, loops elsewhere."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from twofold.images.dense.grid import Axis, Grid, unit

GRIDS = [
    Grid(Axis(50, 32, 4, 8, 3.5), Axis(71, 48, 6, 8, 3.5)),
    Grid(Axis(60, 96, 3, 32, 0.0), Axis(45, 70, 3, 32, 0.0)),
    Grid(Axis(5, 5, 1, 8, 0.0), Axis(9, 9, 2, 8, 0.0)),
]


def test_patches_are_enlarged_as_torch_does():
    maps = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    grid = Grid(Axis(50, 32, 4, 8, 3.5), Axis(71, 48, 6, 8, 3.5))
    torch.testing.assert_close(
        grid.enlarge(maps), F.interpolate(maps[None], (50, 71), mode="bilinear")[0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_enlarging_is_linear_between_the_centres(grid):
    rows, columns = grid.down.cells, grid.across.cells
    maps = torch.randn(1, rows, columns, generator=torch.Generator().manual_seed(1)).double()
    found = grid.enlarge(maps)[0]
    assert found.shape == (grid.down.source, grid.across.source)
    for y in range(0, grid.down.source, 7):
        for x in range(0, grid.across.source, 5):
            place = []
            for axis, pixel in ((grid.down, y), (grid.across, x)):
                working = (pixel + 0.5) * axis.working / axis.source - 0.5
                place.append(min(max((working - axis.centre) / axis.stride, 0), axis.cells - 1))
            value = sum(
                max(1 - abs(place[0] - i), 0) * max(1 - abs(place[1] - j), 0) * maps[0, i, j].item()
                for i in range(rows)
                for j in range(columns)
            )
            assert found[y, x].item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("grid", GRIDS[:2])
def test_places_and_cells_are_inverse_and_the_nearest_is_the_nearest(grid):
    for axis in (grid.down, grid.across):
        cells = torch.arange(axis.cells, dtype=torch.float64)
        torch.testing.assert_close(axis.cell_of(axis.place_of(cells)), cells)
        away = (axis.place_of(cells) - torch.arange(axis.source)[:, None]).abs()
        torch.testing.assert_close(away.gather(1, axis.nearest()[:, None])[:, 0], away.min(1).values)
    numbers = grid.nearest()
    assert numbers.shape == (grid.down.source, grid.across.source)
    assert numbers.max() == grid.down.cells * grid.across.cells - 1


def test_vectors_at_points_are_those_of_the_enlarged_map():
    grid = GRIDS[0]
    maps = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(2))
    points = torch.tensor([[3.0, 7.0], [70.0, 49.0], [33.0, 0.0]])
    whole = grid.enlarge(maps)
    for vector, (x, y) in zip(grid.at(maps, points), points.long().tolist(), strict=True):
        torch.testing.assert_close(vector, whole[:, y, x])


@pytest.mark.parametrize("grid", GRIDS)
def test_the_largest_is_that_of_the_enlarged_map(grid):
    scores = torch.randn(7, grid.down.cells, grid.across.cells, generator=torch.Generator().manual_seed(3))
    assert torch.equal(grid.largest(scores), grid.enlarge(scores).argmax(0))
    assert not grid.largest(scores[:1]).any()


def test_pooled_cells_lie_between_those_they_are_made_of():
    grid, maps = GRIDS[0], torch.arange(24.0).view(1, 4, 6)
    small, pooled = grid.pooled(maps)
    assert small.shape == (1, 2, 3) and small[0, 0, 0] == (0 + 1 + 6 + 7) / 4
    torch.testing.assert_close(pooled.centres()[0], grid.centres()[[0, 1, 6, 7]].mean(0))


def test_unit_vectors_and_zero():
    found = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert torch.equal(found, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
