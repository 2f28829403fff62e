"""Folders of images in parts: which are read, and that none of their names is a class."""

from __future__ import annotations

import pytest
from reading_samples import write

from twofold.errors import UserError
from twofold.images.reading import open_source

CASES = {
    "any case": (["Train/cat/1", "Train/dog/2", "Test/cat/3", "Test/dog/4"], "Train/cat/1 Train/dog/2", "cat dog"),
    "flat test": (["TRAIN/cat/1", "TRAIN/dog/2", "TEST/3"], "TRAIN/cat/1 TRAIN/dog/2", "cat dog"),
    "all flat": (["train/1", "test/2"], "train/1", ""),
    "unlabelled": (
        ["train/cat/1", "train/dog/2", "test/cat/3", "unlabeled/a/4"],
        "train/cat/1 train/dog/2 unlabeled/a/4",
        "cat dog -",
    ),
    "unlabelled beside classes": (["cat/1", "dog/2", "Unlabelled/3"], "Unlabelled/3 cat/1 dog/2", "- cat dog"),
    "test beside classes": (["cat/1", "dog/2", "test/3"], "cat/1 dog/2", "cat dog"),
    "one more folder": (["train/cat/1", "train/dog/2", "val/cat/3", "extra/4"], "train/cat/1 train/dog/2", "cat dog"),
    "flat folder beside train": (["train/cat/1", "train/dog/2", "junk/3"], "train/cat/1 train/dog/2", "cat dog"),
    "a class of vehicles": (["bus/1", "car/2", "train/3"], "bus/1 car/2 train/3", "bus car train"),
    "twice": (
        ["training_set/training_set/cat/1", "training_set/training_set/dog/2", "test_set/test_set/cat/3"],
        "training_set/training_set/cat/1 training_set/training_set/dog/2",
        "cat dog",
    ),
    "a word in all": (
        ["seg_train/seg_train/ice/1", "seg_train/seg_train/sea/2", "seg_test/seg_test/ice/3", "seg_pred/4"],
        "seg_train/seg_train/ice/1 seg_train/seg_train/sea/2",
        "ice sea",
    ),
    "two domains": (["trainA/1", "trainB/2", "testA/3", "testB/4"], "trainA/1 trainB/2", "A B"),
    "below the classes": (["cat/train/1", "cat/test/2", "dog/train/3"], "cat/train/1 dog/train/3", "cat dog"),
    "below a folder": (["d/Train/x/1", "d/Train/y/2", "d/Valid/x/3"], "d/Train/x/1 d/Train/y/2", "x y"),
    "with years": (["train2017/1", "val2017/2"], "train2017/1", ""),
    "test alone": (["test/cat/1", "test/dog/2"], "test/cat/1 test/dog/2", "cat dog"),
}


def tree(folder, names):
    for name in names:
        write(folder / f"{name}.jpg")
    return str(folder)


def classes_of(source):
    return [] if source.labels is None else [source.classes[k] if k >= 0 else "-" for k in source.labels]


@pytest.mark.parametrize("case", CASES)
def test_train_is_read_and_no_part_is_a_class(tmp_path, case):
    names, read, classes = CASES[case]
    source = open_source(tree(tmp_path, names))
    assert source.names == [f"{name}.jpg" for name in read.split()] and classes_of(source) == classes.split()
    assert bool(source.notes) == (len(names) > len(read.split()) or "-" in classes)


def test_what_is_left_out_is_said_and_can_be_asked_for(tmp_path):
    names = ["Train/cat/1", "Train/dog/2", "Test/3", "Test/4", "unlabeled/5", "valid/cat/6"]
    path = tree(tmp_path, names)
    assert open_source(path).notes == (
        f"{path} is in parts: train (2 images) and unlabelled (1 image) are read, test (2 images) and valid (1 image) "
        f"left out; --part takes another or all, and --test or --val {path} takes the part of that name",
    )
    asked = open_source(path, role="test")
    assert asked.names == ["Test/3.jpg", "Test/4.jpg"] and "test (2 images) is read to test on" in asked.notes[0]
    assert open_source(path, role="valid").names == open_source(path, part="Val").names == ["valid/cat/6.jpg"]
    assert len(open_source(path, part="all")) == len(open_source(path, role="all")) == 6
    assert classes_of(open_source(path, part="all")) == ["-", "-", "cat", "dog", "-", "cat"]
    whole = open_source(path, part="none")
    assert whole.classes == ["Test", "Train", "unlabeled", "valid"] and whole.notes == ()
    with pytest.raises(UserError, match=r"no part unlabelled but test .1 image. and train"):
        open_source(tree(tmp_path / "b", ["train/1", "test/2"]), part="unlabeled")


def test_the_level_of_classes_can_be_named(tmp_path):
    path = tree(tmp_path, ["2020/cat/1", "2021/dog/2"])
    assert open_source(path).classes == ["2020", "2021"]
    assert open_source(path, class_level=2).classes == ["cat", "dog"]
    assert open_source(path, class_level=0).labels is None


def test_the_line_names_the_first_classes(tmp_path):
    path = tree(tmp_path, [f"{name * 30}/1" for name in "abcdefg"])
    assert f", 7 classes ({'a' * 30}, " in open_source(path).describe()
    assert f"{'e' * 30}, ...)" in open_source(path).describe()
    long = open_source(tree(tmp_path / "b", ["x" * 50 + "/1", "y/2"]))
    assert f", 2 classes ({'x' * 40}..., y)" in long.describe()
