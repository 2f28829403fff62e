"""The linear probe on maps: loss and gradient against loops, statistics, rates, learning and chance."""

from __future__ import annotations

import math

import pytest
import torch

from tests.images.dense.tiny import PLAIN, Noise, coloured, labelled
from twofold.errors import UserError
from twofold.images.dense.grid import Axis, Grid
from twofold.images.dense.linear_segmentation import (
    EPSILON,
    Classifiers,
    Standard,
    fit,
    linear_segmentation,
    pixel_losses,
    standard,
)
from twofold.images.dense.maps import MapSet, RawPixels
from twofold.images.labels.records import IGNORE

RAW = RawPixels(PLAIN, 8, 3.5)


def sets(mapper, count=12, size=(32, 48)):
    return [MapSet(mapper, labelled(*coloured(count, size, seed=seed), name=str(seed))) for seed in (1, 2)]


def test_colours_are_learned_and_noise_is_not():
    train, test = sets(RAW)
    told = []
    found = linear_segmentation(train, test, epochs=15, on_progress=lambda *done: told.append(done))
    assert found.scores.miou > 0.6 and found.rate == max(found.tried, key=found.tried.get)
    assert told[-1] == (34, 34) and sorted(told) == told
    noise = linear_segmentation(*sets(Noise(), 24), epochs=5).scores
    assert noise.pixel_accuracy == pytest.approx(1 / 3, abs=0.08)


def test_the_same_numbers_again():
    one, other = (linear_segmentation(*sets(RAW, 6), epochs=3, seed=5) for _ in range(2))
    assert one == other


def test_the_loss_over_all_pixels_against_loops_in_float64():
    draws = torch.Generator().manual_seed(0)
    cells = torch.randn(5, 2, 3, generator=draws)
    weight, bias = torch.randn(2, 4, 5, generator=draws), torch.randn(2, 4, generator=draws)
    grid = Grid(Axis(9, 16, 2, 8, 3.5), Axis(13, 24, 3, 8, 3.5))
    mask = torch.randint(-1, 4, (9, 13), generator=draws).to(torch.int16)
    expected = [0.0, 0.0]
    rows, columns = grid.down.weights().double(), grid.across.weights().double()
    for g in range(2):
        for y in range(9):
            for x in range(13):
                if mask[y, x] == IGNORE:
                    continue
                logits = [0.0] * 4
                for k in range(4):
                    for i in range(2):
                        for j in range(3):
                            at = sum(weight[g, k, c].item() * cells[c, i, j].item() for c in range(5))
                            logits[k] += (rows[y, i] * columns[x, j]).item() * (at + bias[g, k].item())
                expected[g] += math.log(sum(math.exp(v) for v in logits)) - logits[mask[y, x]]
    found, count = pixel_losses(Classifiers(weight, bias), cells, grid, mask, None)
    assert found.tolist() == pytest.approx(expected, rel=1e-5) and count == int((mask != IGNORE).sum())


def test_the_gradient_is_that_of_the_loss():
    draws = torch.Generator().manual_seed(1)
    cells = torch.randn(3, 2, 2, generator=draws, dtype=torch.float64)
    grid = Grid(Axis(8, 8, 2, 4, 1.5), Axis(8, 8, 2, 4, 1.5))
    mask = torch.randint(-1, 2, (8, 8), generator=draws).to(torch.int16)
    start = torch.randn(1, 2, 3, generator=draws, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w, b: pixel_losses(Classifiers(w, b), cells, grid, mask, None)[0], (start, bias)
    )


def test_the_lattice_is_the_loss_over_every_pixel_in_the_mean():
    draws = torch.Generator().manual_seed(2)
    cells, mask = torch.randn(3, 10, 10, generator=draws), torch.randint(-1, 2, (80, 80), generator=draws)
    grid = Grid(Axis(80, 80, 10, 8, 3.5), Axis(80, 80, 10, 8, 3.5))
    heads = Classifiers(torch.randn(1, 2, 3, generator=draws), torch.zeros(1, 2))
    whole, count = pixel_losses(heads, cells, grid, mask, None)
    parts = [pixel_losses(heads, cells, grid, mask, draws) for _ in range(60)]
    assert all(0 < part[1] <= 48 * 48 for part in parts)
    mean = sum(part[0].item() for part in parts) / sum(part[1] for part in parts)
    assert mean == pytest.approx(whole.item() / count, rel=0.02)


def test_the_norm_has_the_statistics_of_all_cells():
    train, _ = sets(RAW, 5)
    cells = torch.cat([made.map.flatten(1) for made in train.stream([0, 2, 3])], 1)
    norm = standard(train, [0, 2, 3])
    torch.testing.assert_close(norm.mean, cells.mean(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(norm.std, (cells.var(1, unbiased=False) + EPSILON).sqrt(), rtol=1e-5, atol=1e-6)
    batch_norm = torch.nn.BatchNorm1d(len(cells), affine=False)(cells.T).T
    torch.testing.assert_close(norm(cells[:, :, None])[..., 0], batch_norm, rtol=1e-4, atol=1e-5)


def test_rates_learn_side_by_side_as_alone():
    train, _ = sets(RAW, 6)
    norm, indices = standard(train, range(6)), list(range(6))
    both = fit(train, indices, 3, norm, (0.01, 0.1), epochs=2, seed=0)
    for g, rate in enumerate((0.01, 0.1)):
        alone = fit(train, indices, 3, norm, (rate,), epochs=2, seed=0)
        torch.testing.assert_close(both.weight[g], alone.weight[0], rtol=1e-4, atol=1e-6)


def test_the_step_is_torchs_sgd():
    train, _ = sets(RAW, 3)
    norm = Standard(torch.zeros(48), torch.ones(48))
    found = fit(train, [0, 1, 2], 3, norm, (0.1,), epochs=3, seed=0)
    layer = torch.nn.Parameter(torch.zeros(1, 3, 48)), torch.nn.Parameter(torch.zeros(1, 3))
    optimizer = torch.optim.SGD(layer, lr=0.1, momentum=0.9)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * epoch / 3)) / 2
        losses = [  # 32 x 48 pixels: the lattice is the whole picture
            pixel_losses(Classifiers(*layer), made.map, made.grid, train.mask(made.number), None)
            for made in train.stream([0, 1, 2])
        ]
        loss = sum(total for total, _ in losses) / sum(count for _, count in losses)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    torch.testing.assert_close(found.weight, layer[0].data, rtol=1e-4, atol=1e-6)


class Unresized(RawPixels):
    """Pictures at their own size, a pixel a cell."""

    def view(self, picture):
        return (picture.float() / 255 - 0.5) / 0.25


def test_lines_count_at_each_masks_own_size():
    """Perfect logits at stride 1 must give 1.0 on masks of different sizes with lines of one pixel."""
    pictures, masks = [], []
    for height, width in ((50, 70), (64, 64)) * 4:
        mask = torch.zeros(height, width, dtype=torch.int16)
        mask[::9] = 1
        mask[:, ::11] = 2
        pictures.append(torch.stack([(mask == k) for k in range(3)]).to(torch.uint8) * 255)
        masks.append(mask)
    maps = MapSet(Unresized(PLAIN, 1, 0.0), labelled(pictures, masks))
    assert linear_segmentation(maps, maps, epochs=12).scores.miou == 1.0


def test_masks_without_a_label_are_refused():
    pictures, masks = coloured(4)
    maps = MapSet(RAW, labelled(pictures, [torch.full_like(mask, IGNORE) for mask in masks]))
    with pytest.raises(UserError, match="no labelled pixel"):
        linear_segmentation(maps, maps, epochs=1)
