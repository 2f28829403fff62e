"""Labels: which level of folders counts, also beside known classes, and the values of columns."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.pixels.reading.labels import (
    labels_by_classes,
    labels_from_folders,
    labels_from_names,
    labels_from_values,
    labels_of_parts,
    numbers_in,
)


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["a/1.jpg", "a/2.jpg"], None, None),
        (["a/x/1.jpg", "a/y/2.jpg"], ["x", "y"], [0, 1]),
        (["train/x/1.jpg", "val/y/2.jpg", "val/x/3.jpg"], ["x", "y"], [0, 1, 0]),
        (["data/train/x/1.jpg", "data/test/y/2.jpg"], ["x", "y"], [0, 1]),
        (["train/1.jpg", "val/2.jpg"], None, None),
        (["1.jpg", "a/2.jpg"], None, None),
        (["1.jpg"], None, None),
    ],
)
def test_which_level_of_folders_counts(names, classes, labels):
    found, found_classes = labels_from_folders(names)
    assert found_classes == classes and (found is None if labels is None else found.tolist() == labels)


@pytest.mark.parametrize(
    ("values", "classes", "labels"),
    [
        ([2, 0, None, -1], ["0", "1", "2"], [2, 0, -1, -1]),
        (["b", "a", None], ["a", "b"], [1, 0, -1]),
        ([5000, 10, 5000], ["10", "5000"], [1, 0, 1]),
        ([True, False], ["0", "1"], [1, 0]),
        ([None, -1], None, None),
    ],
)
def test_labels_from_a_column(values, classes, labels):
    found, found_classes = labels_from_values(values)
    assert found_classes == classes and (found is None if labels is None else found.tolist() == labels)
    assert found is None or found.dtype == np.int64


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 1.0, float("nan"), 2.0], [0, 1, -1, 2]),
        ([np.float32(3), None, -1.0, 3], [3, -1, -1, 3]),
        ([0.5, 1.0], None),
        ([float("inf")], None),
        ([float("nan"), None], None),
    ],
)
def test_whole_floats_are_labels_and_others_are_none(values, labels):
    found, classes = labels_from_values(values)
    assert (found is None and classes is None) if labels is None else found.tolist() == labels


def test_names_of_classes_belong_to_their_numbers():
    assert labels_from_values([2, 0], ["air", "bird", "cat"])[1] == ["air", "bird", "cat"]
    many = [f"c{i}" for i in range(6000)]
    found, classes = labels_from_values([5000, 10], many)  # without names these would be codes
    assert found.tolist() == [5000, 10] and classes == many
    assert labels_from_values([0, 3], ["too", "few"])[1] == ["0", "1", "2", "3"]


def test_a_column_of_text_may_hold_numbers():
    assert numbers_in(["0", " 1.0 ", "", None, "NaN"]) == [0, 1, None, None, None]
    assert numbers_in(["1", "two", ""]) == ["1", "two", None]


@pytest.mark.parametrize(
    ("folders", "root", "classes", "labels"),
    [
        (["cat", "cat"], "test", ["cat"], [0, 0]),
        (["cat/2020", "cat/2021"], "test", ["cat"], [0, 0]),
        (["2020/dog", "2021/cat", None], "test", ["cat", "dog"], [1, 0, -1]),
        (["cat", "yew", ""], "test", ["cat", "yew"], [0, 1, -1]),
        (["", "deep"], "dog", ["dog"], [0, 0]),
        (["a", "b"], "test", None, None),
    ],
)
def test_folders_are_read_by_the_known_classes(folders, root, classes, labels):
    found, names = labels_by_classes(folders, ["cat", "dog", "owl"], root)
    assert names == classes and (found is None if labels is None else found.tolist() == labels)


def test_parts_that_are_read_together_share_their_classes():
    folders = ["cat", "dog", "images", "cat/2020", None]
    labels, classes = labels_of_parts(folders, ["train", "train", "test", "test", "unlabelled"])
    assert classes == ["cat", "dog", "images"] and labels.tolist() == [0, 1, 2, 0, -1]
    labels, classes = labels_of_parts(["cat", "dog", "images"], ["train", "train", "valid"])
    assert classes == ["cat", "dog"] and labels.tolist() == [0, 1, -1]


def test_a_level_of_folders_can_be_named():
    names = ["2020/cat/1.jpg", "2021/dog/2.jpg", "3.jpg"]
    labels, classes = labels_from_names("set", names, 2)
    assert labels.tolist() == [0, 1, -1] and classes == ["cat", "dog"]
    assert labels_from_names("set", names, 0) == (None, None)
    with pytest.raises(UserError, match=r"Nothing of set lies 3 folders deep.*at most 2"):
        labels_from_names("set", names, 3)
