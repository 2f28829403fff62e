"""SCRL's boxes: the same part of the image in both views, large enough, not alike, the same whatever the batch."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from twofold.methods.regions import Rules, drawn_from, iou, region_pairs
from twofold.randomness import uniforms
from twofold.seam import Geometry, Progress

SIZE, COUNT = 96, 64
NOW = Progress(3, 10, seed=1)


def crops(view: int) -> Geometry:
    """Boxes of 40 to 100 whole pixels of pictures of 160 x 120 px, half of them mirrored."""
    numbers = uniforms(torch.arange(COUNT), 5, 9, view)
    sides = (40 + 60 * numbers[:, :2]).round()
    corner = (numbers[:, 2:4] * (torch.tensor([160.0, 120.0]) - sides)).floor()
    return Geometry(torch.cat([corner, corner + sides], 1), numbers[:, 4] < 0.5, torch.tensor([[120.0, 160.0]] * COUNT))


def in_picture(boxes: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """Boxes of a view in pixels of the picture."""
    left, top, right, bottom = boxes.unbind(1)
    turned = torch.where(geometry.flip[:, None], torch.stack([SIZE - right, top, SIZE - left, bottom], 1), boxes)
    corner, far = geometry.box[:, :2].double(), geometry.box[:, 2:].double()
    scale = ((far - corner) / SIZE).repeat(1, 2)
    return turned * scale + corner.repeat(1, 2)


def pairs(rules: Rules, index: torch.Tensor | None = None, rows: slice = slice(None)):
    index = torch.arange(COUNT)[rows] if index is None else index
    return region_pairs(crops(0).rows(rows), crops(1).rows(rows), SIZE, rules, drawn_from(NOW, index))


@pytest.mark.parametrize("grid", [True, False])
def test_both_boxes_of_a_pair_cover_the_same_part_of_the_picture(grid):
    rules = Rules(boxes=6, least=16, grid=grid)
    found = pairs(rules)
    assert len(found.image) > COUNT and len(found.image) % 6 == 0
    one = in_picture(
        found.first, dataclasses.replace(crops(0), box=crops(0).box[found.image], flip=crops(0).flip[found.image])
    )
    other = in_picture(
        found.second, dataclasses.replace(crops(1), box=crops(1).box[found.image], flip=crops(1).flip[found.image])
    )
    # A grid's boxes are rounded to pixels and then cut at the border.
    assert (one - other).abs().max() < (0.8 if grid else 1e-6)
    for boxes in (found.first, found.second):
        assert boxes.min() >= 0 and boxes.max() <= SIZE
        assert (boxes[:, 2:] - boxes[:, :2] > 16 - 1.5).all()


def test_boxes_of_an_image_are_not_alike_unless_allowed():
    found, allowed = pairs(Rules(boxes=4, least=16, overlap=0.5)), pairs(Rules(boxes=4, least=16, overlap=1.0))

    def alike(regions):
        boxes = regions.first.view(-1, 4, 4)
        table = iou(boxes[:, :, None], boxes[:, None]) - torch.eye(4, dtype=torch.float64)
        return (table.amax((1, 2)) >= 0.5 + 1e-9).double().mean()

    assert alike(found) < 0.1 < alike(allowed)


def test_images_whose_views_share_too_little_have_none():
    first, second = crops(0), crops(1)
    second.box[::2] = torch.tensor([0.0, 0.0, 10.0, 10.0])
    first.box[::2] = torch.tensor([100.0, 60.0, 150.0, 110.0])
    found = region_pairs(first, second, SIZE, Rules(boxes=3, least=16), drawn_from(NOW, torch.arange(COUNT)))
    assert (found.image % 2 == 1).all() and len(found.image)
    none = region_pairs(
        first.rows(slice(0, 1)), second.rows(slice(0, 1)), SIZE, Rules(), drawn_from(NOW, torch.arange(1))
    )
    assert none.image.shape == (0,) and none.first.shape == none.second.shape == (0, 4)


def test_draws_depend_on_the_image_and_the_step_alone():
    whole = pairs(Rules(boxes=3, least=16, jitter=0.1))
    part = pairs(Rules(boxes=3, least=16, jitter=0.1), rows=slice(20, 40))
    own = (whole.image >= 20) & (whole.image < 40)
    assert torch.equal(whole.image[own] - 20, part.image)
    assert torch.equal(whole.first[own], part.first) and torch.equal(whole.second[own], part.second)
    later = region_pairs(
        crops(0), crops(1), SIZE, Rules(boxes=3, least=16), drawn_from(Progress(4, 10, seed=1), torch.arange(COUNT))
    )
    assert not torch.equal(later.first, whole.first)


def test_jitter_moves_the_second_box_alone():
    still, moved = pairs(Rules(boxes=3, least=16)), pairs(Rules(boxes=3, least=16, jitter=0.1))
    assert torch.equal(still.first, moved.first)
    off = (still.second - moved.second).abs()
    size = (still.second[:, 2:] - still.second[:, :2]).amax(1, keepdim=True)
    assert off.max() > 0 and (off <= 0.2 * size + 1e-6).all()
