"""Labelled data as detectors and segmenters take it."""

from __future__ import annotations

import pytest
import torch

from twofold.errors import UserError
from twofold.images.labels import IGNORE, Instances, open_labelled

from .samples import coco, image, photo, thing

RING = [[10.0, 5, 30, 5, 30, 35, 10, 35]]


@pytest.fixture
def cells(tmp_path):
    """Two pictures: an object with and one without a segmentation, and nothing."""
    for k in range(2):
        photo(tmp_path / f"{k}.jpg", seed=k)
    things = [thing(0, [10, 5, 20, 30], segmentation=RING), thing(0, [40, 5, 9, 9], 2)]
    kinds = ({"id": 1, "name": "red"}, {"id": 2, "name": "white"})
    return open_labelled(coco(tmp_path / "x.json", [image(0, "0.jpg"), image(1, "1.jpg")], things, kinds))


def test_detectors_get_all_boxes_and_mask_detectors_those_with_masks(cells):
    assert len(cells.for_detection().instances(0)) == 2 and cells.for_detection().instances(0).masks is None
    assert len(cells.for_detection(masks=True).instances(0)) == 1
    assert cells.for_detection(masks=True).instances(1).masks.shape == (0, 40, 60)
    assert not cells.for_detection().has_masks


def test_segmenters_get_background_and_no_boxes(cells):
    whole = cells.for_segmentation()
    assert whole.classes == ("background", "red", "white")
    assert whole.mask(0).dtype == torch.int16 and whole.mask(0).unique().tolist() == [0, 1]
    assert cells.mask(0).unique().tolist() == [IGNORE, 0] and whole.mask(1).unique().tolist() == [0]
    with pytest.raises(UserError, match="has masks but no boxes"):
        whole.for_detection()


def test_some_of_the_pictures(cells):
    back = cells.select([1, 0])
    assert list(back.names) == ["1.jpg", "0.jpg"] and len(back.instances(1)) == 1 and len(back.instances(0)) == 0
    assert torch.equal(back.picture(1), cells.picture(0)) and torch.equal(back.mask(1), cells.mask(0))
    assert len(back.for_detection().instances(1)) == 2
    assert back.mark != cells.mark and back.mark == cells.select([1, 0]).mark
    with pytest.raises(IndexError):
        cells.select([2])


def test_thumbnails_are_the_picture_made_small(cells):
    assert cells.thumbnail(0, 20).shape == (3, 20, 30) and cells.thumbnail(0, 20).dtype == torch.uint8


def test_the_mark_follows_pictures_labels_and_wishes(tmp_path):
    photo(tmp_path / "a.jpg")
    file = coco(tmp_path / "x.json", [image(0, "a.jpg")], [thing(0, [1, 1, 9, 9])])
    mark = open_labelled(file).mark
    assert mark == open_labelled(file).mark != open_labelled(file, boxes="xyxy").mark
    coco(file, [image(0, "a.jpg")], [thing(0, [1, 1, 9, 10])])
    assert open_labelled(file).mark != mark
    photo(tmp_path / "a.jpg", seed=5)
    assert len({mark, open_labelled(file).mark}) == 2


def test_fields_are_chosen_together():
    found = Instances(torch.eye(4), torch.arange(4), torch.eye(4)[0].bool(), torch.eye(4)[1].bool(), None)
    part = found.select(torch.tensor([3, 0]))
    assert part.classes.tolist() == [3, 0] and part.crowd.tolist() == [False, True] and len(part) == 2
    assert Instances.none(5, 6, masks=False).masks is None and len(Instances.none(5, 6, masks=True)) == 0
