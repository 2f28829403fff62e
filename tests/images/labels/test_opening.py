"""Which form of labels lies at a path, and what there is to say where none does."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from twofold.errors import UserError
from twofold.images.labels import form_of, open_labelled, open_pair

from .samples import coco, image, masks, noted, photo, thing, voc, voc_object

VALUES = np.repeat(np.arange(4, dtype=np.uint8)[:, None], 60, 1).repeat(10, 0)


def filled(folder, *forms):
    """A folder with labels of some forms, of one picture."""
    photo(folder / "images" / "0.jpg")
    if "coco" in forms:
        coco(folder / "x.json", [image(0, "0.jpg")], [thing(0, [1, 1, 9, 9])])
    if "voc" in forms:
        voc(folder / "xml" / "0.xml", voc_object("dog", 1, 1, 9, 9))
    if "masks" in forms:
        masks(folder, VALUES)
    if "yolo" in forms:
        (folder / "labels").mkdir()
        (folder / "labels" / "0.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    return folder


@pytest.mark.parametrize("form", ["coco", "voc", "masks", "yolo"])
def test_each_form_is_recognised(tmp_path, form):
    folder = filled(tmp_path / "set", form)
    assert form_of(str(folder)) == form
    assert open_labelled(folder).has_masks == (form == "masks")


def test_photographs_are_no_labelled_data(tmp_path):
    for name in ("with_mask/a.jpg", "without_mask/a.jpg", "mask/b.jpg", "cats/a_L.jpg"):
        photo(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.json").write_text("{}")
    photo(tmp_path / "plain" / "a.jpg")
    (tmp_path / "plain" / "readme.txt").write_text("hello")
    assert form_of(str(tmp_path / "photos")) is None and form_of(str(tmp_path / "plain")) is None
    assert form_of(str(tmp_path / "nowhere")) is None
    with pytest.raises(UserError, match=r"holds no labels: labels are a COCO \.json"):
        open_labelled(tmp_path / "plain")


def test_what_is_wanted_decides_where_there_are_several(tmp_path):
    folder = filled(tmp_path, "voc", "masks")
    assert open_labelled(folder).has_boxes and noted(
        open_labelled(folder), "Labels are read from VOC's XML files; masks"
    )
    assert open_labelled(folder, want="masks").has_masks
    assert open_labelled(folder, want="boxes").classes == ("dog",)


def test_what_is_wanted_and_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match=r"has VOC's XML files, but no masks"):
        open_labelled(filled(tmp_path / "a", "voc"), want="masks")
    with pytest.raises(UserError, match=r"has masks, but no boxes"):
        open_labelled(filled(tmp_path / "b", "masks"), want="boxes")
    with pytest.raises(UserError, match='wanted as "boxes", "masks" or "instances"'):
        open_labelled(filled(tmp_path / "c", "voc"), want="keypoints")


def test_training_and_test_of_two_kinds_are_refused(tmp_path):
    boxes, drawn = filled(tmp_path / "a", "voc"), filled(tmp_path / "b", "masks")
    with pytest.raises(UserError, match=r"a has boxes and .*b has masks: give data of one kind"):
        open_pair(boxes, drawn)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "does not exist"),
        ("memory://x/labels.json", "is remote"),
        ("a.jpg", "of no known kind; labelled data is a COCO .json"),
        ("x" * 5000, "does not exist"),
    ],
)
def test_paths_that_lead_nowhere(tmp_path, monkeypatch, path, words):
    monkeypatch.chdir(photo(tmp_path / "a.jpg").parent)
    with pytest.raises(UserError, match=words):
        open_labelled(path)


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(filled(tmp_path / "set", "coco").parent))
    assert len(open_labelled("~/set/x.json", images="~/set/images")) == 1


def test_a_relative_path_is_as_good_as_a_whole_one(tmp_path, monkeypatch):
    masks(tmp_path / "set", np.zeros((40, 60), np.uint8), np.ones((40, 60), np.uint8))
    monkeypatch.chdir(tmp_path)
    for path in ("set", "./set", str(tmp_path / "set")):
        assert form_of(path) == "masks" and len(open_labelled(path)) == 2


def test_pictures_of_more_than_8_bits_are_read_by_one_rule_which_is_noted(tmp_path):
    masks(tmp_path / "set", np.zeros((40, 60), np.uint8))
    (tmp_path / "set" / "images" / "0.jpg").unlink()
    levels = np.linspace(0, 4000, 40 * 60).reshape(40, 60).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "set" / "images" / "0.png")
    data = open_labelled(tmp_path / "set")
    assert data.picture(0).max() > 240
    assert any("4,095 counts as white" in finding for finding in data.findings)
