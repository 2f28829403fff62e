"""Through any geometry an object keeps its box, mask, class and flags together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.images.finetuning.truths import filled, instances
from twofold.images.finetuning.augment import (
    TRIES,
    Example,
    cropped,
    draw_numbers,
    fitted,
    flipped,
    scaled,
    vary_mask,
    vary_objects,
)
from twofold.images.finetuning.presets import DETECTION, SEGMENTATION

BOXES = [[0, 0, 8, 6], [30, 20, 45, 41], [56, 42, 64, 48]]  # two corners and the middle of 48 x 64


def example(masks=True, boxes=BOXES):
    shapes = filled(boxes, 48, 64)
    picture = torch.zeros(3, 48, 64, dtype=torch.uint8)
    for i, shape in enumerate(shapes):
        picture[:, shape] = 50 * (i + 1)
    objects = instances(boxes, range(len(boxes)), crowd=[1], difficult=[2], masks=shapes if masks else None)
    return Example(picture, objects)


def box_of(mask):
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return torch.tensor([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()


def check(found, count):
    objects, (height, width) = found.objects, found.size
    fields = (objects.boxes, objects.classes, objects.crowd, objects.difficult, objects.masks)
    assert len({len(field) for field in fields if field is not None}) == 1
    assert len(objects) + found.lost == count
    left, top, right, bottom = objects.boxes.unbind(1)
    assert bool(((right - left >= 1) & (bottom - top >= 1)).all())
    assert bool(((left >= 0) & (top >= 0) & (right <= width) & (bottom <= height)).all())
    # Class, flags and pixels still belong to the very object.
    assert torch.equal(objects.crowd, objects.classes == 1)
    assert torch.equal(objects.difficult, objects.classes == 2)
    for k, c in enumerate(objects.classes.tolist()):
        middle = (objects.boxes[k].reshape(2, 2).sum(0) / 2).long()
        assert int(found.picture[0, middle[1], middle[0]]) == 50 * (c + 1)
        if objects.masks is not None:
            assert (box_of(objects.masks[k]) - objects.boxes[k]).abs().max() <= 1


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 1), st.floats(0.05, 1), st.booleans(), st.booleans())
def test_all_fields_follow_random_windows(x, y, high, wide, mirrored, masks):
    height, width = max(round(48 * high), 1), max(round(64 * wide), 1)
    whole = flipped(example(masks)) if mirrored else example(masks)
    check(cropped(whole, int((48 - height) * y), int((64 - width) * x), height, width), 3)


def test_less_than_a_pixel_of_an_object_goes_and_is_counted():
    # Half a pixel of a box is left in the window, and none of another.
    whole = replace(example(), objects=instances([[0, 0, 10.5, 8], [10.0, 2, 30, 9], [0, 0, 5, 5]]))
    found = cropped(whole, 0, 10, 20, 30)
    assert found.objects.boxes.tolist() == [[0, 2, 20, 9]]
    assert found.lost == 2


def test_of_a_mask_that_is_cut_the_box_is_what_is_left():
    # An L: in the window only its foot is left, narrower than its box.
    mask = torch.zeros(1, 48, 64, dtype=torch.bool)
    mask[0, 0:30, 10:14] = mask[0, 26:30, 10:40] = True
    whole = Example(torch.zeros(3, 48, 64, dtype=torch.uint8), instances([[10, 0, 40, 30]], masks=mask))
    found = cropped(whole, 0, 20, 48, 44)
    assert found.objects.boxes.tolist() == [[0, 26, 20, 30]]


def test_twice_mirrored_is_as_before():
    again = flipped(flipped(example()))
    assert torch.equal(again.picture, example().picture)
    assert torch.equal(again.objects.boxes, example().objects.boxes)
    assert torch.equal(again.objects.masks, example().objects.masks)
    check(flipped(example()), 3)


def test_a_picture_without_objects_passes():
    empty = replace(example(), objects=instances([], masks=filled([], 48, 64)))
    found = cropped(flipped(empty), 3, 4, 20, 30)
    assert found.objects.boxes.shape == (0, 4)
    assert found.objects.masks.shape == (0, 20, 30)


def test_draws_are_a_function_of_seed_and_position():
    assert draw_numbers(1, 7, 6) == draw_numbers(1, 7, 6)
    assert draw_numbers(1, 7, 6) != draw_numbers(1, 8, 6) != draw_numbers(2, 8, 6)


def test_detection_is_mirrored_and_cut_as_often_as_it_says():
    sizes = [vary_objects(example(), DETECTION["quick"], draw_numbers(0, i, 6)).size for i in range(200)]
    whole = sum(size == (48, 64) for size in sizes)
    assert 70 < whole < 130
    assert min(high for high, _ in sizes) >= round(0.6 * 48)
    assert min(wide for _, wide in sizes) >= round(0.6 * 64)
    paper = [vary_objects(example(), DETECTION["coco-fpn-1x"], draw_numbers(0, i, 6)) for i in range(40)]
    assert {one.size for one in paper} == {(48, 64)}
    assert 8 < sum(torch.equal(one.picture, example().picture) for one in paper) < 32


def test_segmentation_windows_keep_pixels_and_classes_together():
    mask = torch.zeros(48, 64, dtype=torch.int16)
    mask[:, 32:] = 1
    mask[0] = -1
    picture = torch.where(mask == 1, 200, 40).to(torch.uint8).expand(3, 48, 64).contiguous()
    preset = replace(SEGMENTATION["quick"], crop=40, scale=(128, 48))
    for i in range(20):
        found = vary_mask(Example(picture, mask=mask), preset, draw_numbers(0, i, 2 + 2 * TRIES))
        assert found.size == tuple(found.mask.shape) == (40, 40)
        known = found.mask >= 0
        assert bool(((found.picture[0] > 120) == (found.mask == 1))[known].float().mean() > 0.9)
    assert set(found.mask.unique().tolist()) <= {-1, 0, 1}


def test_a_small_picture_is_padded_black_and_ignored():
    mask = torch.ones(10, 12, dtype=torch.int16)
    preset = replace(SEGMENTATION["quick"], crop=40, scale=(30, 20), ratios=(1.0, 1.0))
    small = Example(torch.full((3, 10, 12), 99, dtype=torch.uint8), mask=mask)
    found = vary_mask(small, preset, [0.5] * 22)
    assert found.size == (40, 40)
    assert (found.mask[:20, :24] == 1).all()
    assert (found.mask[20:] == -1).all() and (found.mask[:, 24:] == -1).all()
    assert found.picture[:, 20:].max() == 0


@pytest.mark.parametrize(
    ("size", "scale", "fit"),
    [
        ((500, 375), (2048, 512), (683, 512)),
        ((100, 900), (2048, 512), (228, 2048)),
        ((1024, 2048), (2049, 1025), (1024, 2049)),
    ],
)
def test_pictures_fit_in_the_scale_in_their_own_shape(size, scale, fit):
    assert fitted(size, scale) == fit


def test_scaling_keeps_class_numbers():
    mask = torch.tensor([[0, 7], [-1, 3]], dtype=torch.int16)
    found = scaled(Example(torch.zeros(3, 2, 2, dtype=torch.uint8), mask=mask), (6, 6))
    assert set(found.mask.unique().tolist()) == {-1, 0, 3, 7}
    assert found.picture.dtype == torch.uint8
