"""Instances through crops, flips and resizing: all fields by one filter (field row 29)."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.images.labels.geometry import boxes_around, crop, mirror, resize, visible
from twofold.images.labels.records import Instances

HEIGHT, WIDTH = 40, 60
CORNERS = [[0, 0, 9, 8], [51, 30, 60, 40], [20, 10, 41, 31]]


def three(masks: bool = True) -> Instances:
    """Two at corners, a disc in the middle; the second difficult, the third a crowd."""
    shapes = np.zeros((3, HEIGHT, WIDTH), bool)
    shapes[0, :8, :9] = shapes[1, 30:, 51:] = True
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shapes[2] = (y - 20) ** 2 + (x - 30) ** 2 <= 10**2
    return Instances(
        torch.tensor(CORNERS, dtype=torch.float32),
        torch.tensor([0, 1, 2]),
        torch.tensor([False, False, True]),
        torch.tensor([False, True, False]),
        torch.from_numpy(shapes) if masks else None,
    )


CROPS = st.tuples(st.integers(0, 39), st.integers(0, 59), st.integers(1, 40), st.integers(1, 60))


@given(CROPS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_whatever_is_cropped_all_fields_stay_together(box, masks):
    top, left, height, width = box
    height, width = min(height, HEIGHT - top), min(width, WIDTH - left)
    found = crop(three(masks), top, left, height, width)
    assert {len(field) for field in (found.boxes, found.classes, found.crowd, found.difficult)} == {len(found)}
    assert found.crowd.tolist() == [c == 2 for c in found.classes.tolist()]
    assert found.difficult.tolist() == [c == 1 for c in found.classes.tolist()]
    assert ((found.boxes[:, 2:] - found.boxes[:, :2]) >= 1).all()
    assert (found.boxes >= 0).all() and (found.boxes <= torch.tensor([width, height, width, height])).all()
    if found.masks is not None:
        assert found.masks.shape == (len(found), height, width)
        assert torch.allclose(boxes_around(found.masks), found.boxes, atol=1)


@given(CROPS)
@settings(max_examples=50, deadline=None)
def test_a_crop_leaves_out_only_what_no_longer_shows(box):
    top, left, height, width = box
    height, width = min(height, HEIGHT - top), min(width, WIDTH - left)
    whole = three()
    assert whole.masks is not None
    shows = whole.masks[:, top : top + height, left : left + width].flatten(1).any(1)
    assert crop(whole, top, left, height, width).classes.tolist() == torch.arange(3)[shows].tolist()


def test_a_mirrored_picture_mirrored_again_is_itself():
    once = mirror(three(), WIDTH)
    assert once.boxes[0].tolist() == [51, 0, 60, 8] and once.masks is not None
    assert torch.equal(boxes_around(once.masks), once.boxes)
    twice = mirror(once, WIDTH)
    assert torch.equal(twice.boxes, three().boxes) and torch.equal(twice.masks, three().masks)


def test_a_smaller_picture_loses_what_is_below_a_pixel():
    found = resize(three(), (HEIGHT, WIDTH), (20, 30))
    assert found.boxes[0].tolist() == [0, 0, 4.5, 4] and found.masks is not None and found.masks.shape == (3, 20, 30)
    assert resize(three(), (HEIGHT, WIDTH), (4, 6)).classes.tolist() == [2]  # the others are 0.9 px wide


def test_what_has_no_size_or_no_pixel_is_left_out():
    nothing = three()
    assert nothing.masks is not None
    nothing.boxes[0] = torch.tensor([5.0, 5, 5, 9])
    nothing.masks[1] = False
    assert visible(nothing).classes.tolist() == [2]
    none = Instances.none(HEIGHT, WIDTH, True)
    assert len(crop(none, 0, 0, 5, 5)) == 0 and crop(none, 0, 0, 5, 5).masks.shape == (0, 5, 5)
