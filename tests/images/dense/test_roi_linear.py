"""Boxes on maps: RoIAlign at the right place, coloured boxes are classified, noise is at chance."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import COLOURS, PLAIN, Noise, boxes, labelled
from twofold.errors import UserError
from twofold.images.dense.grid import Axis, Grid
from twofold.images.dense.maps import MapSet, RawPixels
from twofold.images.dense.roi_linear import box_features, roi_linear, roi_means

RAW = RawPixels(PLAIN, 4, 1.5)


def things(count, seed):
    """Pictures with three coloured boxes each."""
    draws = torch.Generator().manual_seed(seed)
    pictures, instances = [], []
    for _ in range(count):
        picture = torch.randint(90, 140, (3, 32, 64), generator=draws, dtype=torch.uint8)
        rows, classes = [], torch.randint(0, 3, (3,), generator=draws).tolist()
        for k, kind in enumerate(classes):
            left, top = 4 + 20 * k, int(torch.randint(0, 16, (1,), generator=draws))
            picture[:, top : top + 14, left : left + 16] = COLOURS[kind][:, None, None]
            rows.append([left, top, left + 16, top + 14])
        pictures.append(picture)
        instances.append(boxes(rows, classes))
    return pictures, instances


def sets(mapper, count=16):
    return [
        MapSet(mapper, labelled(pictures, None, instances, name=str(seed)))
        for seed in (1, 2)
        for pictures, instances in [things(count, seed)]
    ]


def test_coloured_boxes_are_classified_and_noise_is_at_chance():
    told = []
    found = roi_linear(*sets(RAW), on_progress=lambda *done: told.append(done))
    assert found.scores["top1"] > 0.95 and found.boxes == (48, 48) and told[-1] == (32, 32)
    assert found.majority["top1"] < 0.6
    assert roi_linear(*sets(Noise(), 40)).scores["top1"] == pytest.approx(1 / 3, abs=0.13)


@pytest.mark.parametrize(("stride", "centre", "cells"), [(8, 3.5, (4, 6)), (8, 0.0, (4, 6))])
def test_the_mean_over_a_box_of_a_map_that_says_where_it_is(stride, centre, cells):
    """On a map whose cells hold their own centres in pixels the mean over a box inside is the box's own centre."""
    grid = Grid(Axis(64, 32, cells[0], stride, centre), Axis(48, 48, cells[1], stride, centre))
    places = grid.centres().float().T.unflatten(1, cells)
    box = torch.tensor([[12.0, 20.0, 36.0, 44.0], [11.5, 13.0, 13.0, 40.0]])
    middle = (box[:, :2] + box[:, 2:]) / 2 - 0.5
    torch.testing.assert_close(roi_means(places, grid, box), middle, rtol=1e-4, atol=1e-3)


def test_crowds_are_left_out_and_empty_pictures_pass():
    pictures, instances = things(3, 0)
    instances[1] = boxes([], [])
    instances[2] = boxes([[0, 0, 9, 9], [5, 5, 20, 20]], [0, 1], [True, False])
    vectors, classes = box_features(MapSet(RAW, labelled(pictures, None, instances)))
    assert len(vectors) == len(classes) == 4 and classes[3] == 1


def test_what_cannot_be_measured_is_refused():
    pictures, instances = things(2, 0)
    train = MapSet(RAW, labelled(pictures, None, instances))
    empty = MapSet(RAW, labelled(pictures, None, [boxes([], [])] * 2, name="none"))
    with pytest.raises(UserError, match="none has no boxes to classify"):
        roi_linear(train, empty)
    same = MapSet(RAW, labelled(pictures, None, [boxes([[0, 0, 9, 9]], [1])] * 2))
    with pytest.raises(UserError, match="one class only"):
        roi_linear(same, train)
