"""Labels looked up in a memory of cells: against loops in float64; the budget; the reading of others."""

from __future__ import annotations

import math

import pytest
import torch

from tests.images.dense.tiny import PLAIN, Noise, coloured, labelled
from twofold.errors import UserError
from twofold.images.dense.cell_labels import class_counts
from twofold.images.dense.grid import Axis, Grid
from twofold.images.dense.maps import MapSet, RawPixels
from twofold.images.dense.retrieval_segmentation import (
    Memory,
    like_open_hummingbird,
    looked_up,
    remember,
    retrieval_segmentation,
    sampled,
    soft_labels,
    usable_cells,
)
from twofold.images.labels.records import IGNORE

RAW = RawPixels(PLAIN, 8, 3.5)
NOWHERE = torch.zeros(0, 3)


def sets(mapper, count=8):
    return [MapSet(mapper, labelled(*coloured(count, seed=seed), name=str(seed))) for seed in (1, 2)]


def test_colours_are_looked_up_and_noise_is_at_chance():
    told = []
    found = retrieval_segmentation(*sets(RAW), on_progress=lambda *done: told.append(done))
    assert found.scores.miou > 0.7 and found.cells == 8 * 24 and told[-1] == (16, 16)
    noise = retrieval_segmentation(*sets(Noise(), 20)).scores
    assert noise.pixel_accuracy == pytest.approx(1 / 3, abs=0.08)


def test_looking_up_against_loops_in_float64(monkeypatch):
    draws = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(40, 6, generator=draws), dim=1)
    labels = torch.rand(40, 3, generator=draws)
    labels /= labels.sum(1, keepdim=True)
    asked = torch.nn.functional.normalize(torch.randn(7, 6, generator=draws), dim=1)
    expected = torch.zeros(7, 3)
    for n in range(7):
        cosines = sorted(((asked[n].double() @ v.double()).item(), m) for m, v in enumerate(vectors))[-5:]
        weights = [math.exp(cosine / 0.02) for cosine, _ in cosines]
        for weight, (_, m) in zip(weights, cosines, strict=True):
            expected[n] += weight / sum(weights) * labels[m]
    found = looked_up(asked, Memory(vectors, labels, 0, NOWHERE), 5, 0.02)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    monkeypatch.setattr("twofold.images.dense.retrieval_segmentation.CHUNK", 60)
    torch.testing.assert_close(looked_up(asked, Memory(vectors, labels, 0, NOWHERE), 5, 0.02), found)
    few = looked_up(asked, Memory(vectors[:2], labels[:2], 0, NOWHERE), 5, 0.02)
    assert few.shape == (7, 3)


@pytest.mark.parametrize("axes", [((50, 32, 4, 8, 3.5), (70, 45, 6, 8, 3.5)), ((40, 64, 2, 32, 0.0),) * 2])
def test_counts_of_classes_in_each_cell_against_loops(axes):
    grid = Grid(*(Axis(*axis) for axis in axes))
    shape = grid.down.source, grid.across.source
    mask = torch.randint(-1, 3, shape, generator=torch.Generator().manual_seed(0)).to(torch.int16)
    expected = torch.zeros(grid.down.cells * grid.across.cells, 4, dtype=torch.int64)
    for y in range(shape[0]):
        for x in range(shape[1]):
            cell = []
            for axis, pixel in ((grid.down, y), (grid.across, x)):
                working = (pixel + 0.5) * axis.working / axis.source - 0.5
                nearest = math.floor((working - axis.centre) / axis.stride + 0.5)
                cell.append(min(max(nearest, 0), axis.cells - 1))
            expected[cell[0] * grid.across.cells + cell[1], int(mask[y, x]) % 4] += 1
    assert torch.equal(class_counts(mask, grid, 3), expected)


def test_blocks_of_patches_are_theirs():
    mask = torch.arange(4).view(2, 2).repeat_interleave(8, 0).repeat_interleave(8, 1)
    grid = Grid(Axis(16, 16, 2, 8, 3.5), Axis(16, 16, 2, 8, 3.5))
    assert torch.equal(class_counts(mask, grid, 4)[:, :4], 64 * torch.eye(4, dtype=torch.int64))


def test_cells_that_are_ignored_for_more_than_half_or_have_no_pixel_are_left_out():
    counts = torch.tensor([[4, 0, 4], [3, 0, 5], [0, 0, 0], [1, 3, 0]])
    assert usable_cells(counts).tolist() == [True, False, False, True]
    torch.testing.assert_close(soft_labels(counts)[3], torch.tensor([0.25, 0.75]))
    assert soft_labels(counts)[0].tolist() == [1, 0]


def test_the_budget_keeps_rare_classes():
    counts = torch.zeros(200, 3, dtype=torch.int64)
    counts[:, 0], counts[7, :2] = 64, torch.tensor([0, 64])
    usable, kept = torch.ones(200, dtype=torch.bool), 0
    for seed in range(50):
        rows = sampled(counts, usable, 10, torch.Generator().manual_seed(seed))
        assert len(rows) == 10 == len(rows.unique())
        kept += 7 in rows.tolist()
    assert kept > 45  # an even draw would keep it in one of twenty
    assert sampled(counts, usable, None, torch.Generator()).tolist() == list(range(200))
    usable[3:] = False
    assert sampled(counts, usable, 10, torch.Generator()).tolist() == [0, 1, 2]


def test_the_rule_of_the_budget_against_a_loop():
    draws = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 3, (30, 4), generator=draws)
    usable = usable_cells(counts)
    uniform = torch.rand(int(usable.sum()), generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    scores = {}
    for draw, cell in zip(uniform.tolist(), usable.nonzero()[:, 0].tolist(), strict=True):
        present = [k for k in range(3) if counts[cell, k] > 0]
        scores[cell] = sum(counts[:, k].sum().item() for k in present) * draw
    expected = sorted(sorted(scores, key=scores.get)[:6])
    assert sampled(counts, usable, 6, torch.Generator().manual_seed(9)).tolist() == expected


def test_a_budget_is_shared_by_the_pictures():
    train, test = sets(RAW, 6)
    assert len(remember(train, 30, 0).vectors) == 30
    assert retrieval_segmentation(train, test, budget=30) == retrieval_segmentation(train, test, budget=30)
    assert torch.equal(remember(train, 30, 1).vectors, remember(train, 30, 1).vectors)
    assert not torch.equal(remember(train, 30, 1).vectors, remember(train, 30, 2).vectors)


def test_the_reading_of_open_hummingbird():
    pictures, masks = coloured(2)
    masks = [torch.full_like(mask, IGNORE) for mask in masks]
    maps = MapSet(RAW, labelled(pictures, masks))
    memory = remember(maps, None, 0, ignored_as_first=True)
    assert (memory.labels[:, 0] == 1).all() and len(memory.labels) == 48
    with pytest.raises(UserError, match="nothing can be looked up"):
        retrieval_segmentation(maps, maps)
    assert like_open_hummingbird(PLAIN).std == (0.25, 0.25, 0.255)
