"""Cells found again: against loops in float64, at chance on noise, perfect where cells know their place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from tests.images.dense.tiny import PLAIN, Noise, labelled
from twofold.images.dense.correspondence import carried, correspondence, pair_maker
from twofold.images.dense.maps import RawPixels
from twofold.images.dense.pictures import some_pictures
from twofold.seam import Geometry

SIDE = 48


def rainbow(seed):
    """A picture whose colours say where in it a pixel lies."""
    down, across = torch.linspace(30, 225, 60), torch.linspace(30, 225, 80)
    third = torch.full((60, 80), 40.0 * seed + 50)
    return torch.stack([down[:, None].expand(60, 80), across.expand(60, 80), third]).to(torch.uint8)


@dataclass(frozen=True)
class Place(RawPixels):
    """The mean colour of each block, bent to unit vectors that differ with the place."""

    def maps(self, views):
        mean = super().maps(views).unflatten(1, (3, -1)).mean(2)
        angles = mean[:, :2] * 0.7
        return torch.cat([angles.cos(), angles.sin()], 1)


def measured(mapper, pictures, **settings):
    views = pair_maker(mapper, SIDE, seed=3)
    return correspondence(mapper, some_pictures(labelled(pictures), 2 * SIDE, 0), views, **settings)


def test_cells_that_know_their_place_are_found():
    found = measured(Place(PLAIN, 8, 3.5), [rainbow(i) for i in range(4)], rounds=3)
    assert found.accuracy > 0.98 and found.median_error < 5 and found.pairs == 12 and found.cells > 100


def test_noise_is_found_by_chance():
    draws = torch.Generator().manual_seed(0)
    pictures = [torch.randint(0, 256, (3, 60, 80), generator=draws, dtype=torch.uint8) for _ in range(24)]
    found = measured(Noise(), pictures, rounds=4)
    spread = math.sqrt(found.chance * (1 - found.chance) / found.cells)
    assert 0.05 < found.chance < 0.15 and abs(found.accuracy - found.chance) < 4 * spread


def test_against_loops_in_float64():
    mapper, pictures = RawPixels(PLAIN, 16, 0.0), [rainbow(1), rainbow(2)]
    views = pair_maker(mapper, SIDE, seed=7)
    (batch,) = some_pictures(labelled(pictures), 2 * SIDE, 0)
    made = views(batch, 0)
    maps = [mapper.maps(view).double() for view in made.tensors]
    errors, chances = [], []
    for b in range(2):
        boxes, flips = [g.box[b].tolist() for g in made.geometry], [bool(g.flip[b]) for g in made.geometry]
        cells = [(r, c) for r in range(3) for c in range(3)]
        for r, c in cells:
            x, y = ((16 * c + 0.5) / SIDE, (16 * r + 0.5) / SIDE)
            x = 1 - x if flips[0] else x
            (l1, t1, r1, b1), (l2, t2, r2, b2) = boxes
            x, y = (l1 + x * (r1 - l1) - l2) / (r2 - l2), (t1 + y * (b1 - t1) - t2) / (b2 - t2)
            if not (0 <= x <= 1 and 0 <= y <= 1):
                continue
            x = (1 - x if flips[1] else x) * SIDE - 0.5
            y = y * SIDE - 0.5
            asked = maps[0][b, :, r, c]
            cosines = [
                (asked @ maps[1][b, :, i, j] / (asked.norm() * maps[1][b, :, i, j].norm())).item() for i, j in cells
            ]
            i, j = cells[cosines.index(max(cosines))]
            errors.append(math.hypot(16 * j - x, 16 * i - y))
            chances.append(sum(math.hypot(16 * j - x, 16 * i - y) <= 16 for i, j in cells) / 9)
    found = correspondence(mapper, [batch], views)
    assert found.cells == len(errors) > 5
    assert found.accuracy == sum(error <= 16 for error in errors) / len(errors)
    assert found.chance == pytest.approx(sum(chances) / len(chances))
    assert found.median_error == pytest.approx(sorted(errors)[(len(errors) - 1) // 2], rel=1e-6)


def test_identical_views_are_their_own_answer():
    box = torch.tensor([[10.0, 20.0, 50.0, 60.0]])
    for flip in (False, True):
        here = Geometry(box, torch.tensor([flip]), torch.tensor([[60.0, 80.0]]))
        points = torch.tensor([[0.0, 5.0], [31.0, 17.0]], dtype=torch.float64)
        torch.testing.assert_close(carried(points, here, here, (32, 32))[0], points)
    plain = Geometry(box, torch.tensor([False]), here.source)
    torch.testing.assert_close(carried(points, plain, here, (32, 32))[0][:, 0], 31 - points[:, 0])


def test_the_same_numbers_again_and_pictures_to_leave_out():
    pictures = [rainbow(i) for i in range(3)]
    mapper = Place(PLAIN, 8, 3.5)
    assert measured(mapper, pictures) == measured(mapper, pictures)
    assert measured(mapper, pictures, skip=[0, 1, 2]).cells == 0
    assert measured(mapper, pictures, skip=[1]).pairs == 2


def test_colour_is_another_question():
    mapper, pictures = RawPixels(PLAIN, 8, 3.5), [rainbow(i) for i in range(3)]
    plain, coloured = (
        correspondence(
            mapper,
            some_pictures(labelled(pictures), 2 * SIDE, 0),
            pair_maker(mapper, SIDE, seed=3, colour=colour),
            rounds=2,
        )
        for colour in (False, True)
    )
    assert coloured.accuracy < plain.accuracy
