"""Folders with a mask for each object."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.labels import form_of, open_labelled
from twofold.images.labels.per_object import masks_of_objects

from .samples import DISC, mask, noted, photo

LAYOUTS = [("{}/images/{}.png", "{}/masks/{}.png"), ("images/{1}.png", "masks/{0}/{1}.png")]
CORNER = np.zeros_like(DISC)
CORNER[:7, :11] = True


def written(folder, picture, label, count=2):
    """Pictures a, b ... with two masks each, a disc and a corner."""
    for k in range(count):
        name = "ab"[k]
        photo(folder / picture.format(name, name), seed=k)
        for stem, shape in (("m0", DISC), ("m1", CORNER)):
            mask(folder / label.format(name, stem), shape.astype(np.uint8) * 255)
    return folder


@pytest.mark.parametrize(("picture", "label"), LAYOUTS)
def test_each_mask_is_an_object(tmp_path, picture, label):
    data = open_labelled(written(tmp_path, picture, label))
    assert form_of(str(tmp_path)) == "per-object" and len(data) == 2 and data.classes == ("object",)
    found = data.instances(1)
    assert found.masks is not None
    np.testing.assert_array_equal(found.masks[0], DISC)
    np.testing.assert_array_equal(found.masks[1], CORNER)
    assert found.boxes[1].tolist() == [0, 0, 11, 7]
    assert noted(data, 'Each mask is an object of class "object"')
    assert open_labelled(tmp_path, want="masks").mask(0).unique().tolist() == [0, 1]


def test_the_class_has_the_users_name_and_one_only(tmp_path):
    written(tmp_path, *LAYOUTS[0])
    assert open_labelled(tmp_path, classes="nucleus,").classes == ("nucleus",)
    with pytest.raises(UserError, match=r"has a mask for each object and no classes, and .* names several: name one"):
        open_labelled(tmp_path, classes="nucleus,cell")


def test_empty_broken_and_strange_masks_are_counted(tmp_path):
    written(tmp_path, *LAYOUTS[0])
    mask(tmp_path / "a/masks/none.png", np.zeros_like(DISC, np.uint8))
    (tmp_path / "a/masks/broken.png").write_bytes(b"no picture")
    mask(tmp_path / "c/masks/m.png", DISC.astype(np.uint8))
    data = open_labelled(tmp_path)
    assert [len(data.instances(i).boxes) for i in range(2)] == [2, 2]
    assert noted(data, "masks without an object, left out: 1 (such as a/masks/none.png)")
    assert noted(data, "masks that cannot be read, left out: 1 (such as a/masks/broken.png")
    assert noted(data, "masks without a picture, left out: 1 (such as c/masks/m.png)")


def test_masks_of_several_sizes_are_refused(tmp_path):
    written(tmp_path, *LAYOUTS[0])
    mask(tmp_path / "a/masks/small.png", np.ones((20, 30), np.uint8))
    with pytest.raises(UserError, match=r"masks of a/images/a\.png have several sizes"):
        open_labelled(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        (["images/a.png"], ["masks/a.png"]),
        (["images/a.png", "images/b.png"], ["masks/m.png", "masks/n.png"]),
        (["a/images/a.png", "a/images/b.png"], ["a/masks/m.png"]),
        (["images/a.png"], []),
    ],
)
def test_what_folders_do_not_tell_is_none(pictures, masks):
    assert masks_of_objects(pictures, masks) is None
