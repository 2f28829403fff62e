"""Names of parts: in any case, with what else may stand in them, and the words that are none."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.parts import Named, chosen, named, named_among, part_called


@pytest.mark.parametrize(
    ("name", "part", "rest"),
    [
        ("train", "train", ""),
        ("Train", "train", ""),
        ("TRAIN", "train", ""),
        ("training_set", "train", ""),
        ("trainset", "train", ""),
        ("train2017", "train", ""),
        ("train-00000-of-00002-1a2b3c4d5e6f7a8b", "train", ""),
        ("imagenet-train-000012", "train", "imagenet"),
        ("trainA", "train", "A"),
        ("x_train", "train", "x"),
        ("Val", "valid", ""),
        ("validation", "valid", ""),
        ("dev", "valid", ""),
        ("images_test", "test", ""),
        ("eval", "test", ""),
        ("unlabeled", "unlabelled", ""),
        ("Unlabelled", "unlabelled", ""),
        ("unlabeled2017", "unlabelled", ""),
    ],
)
def test_what_a_name_says(name, part, rest):
    assert named(name) == Named(part, rest)


@pytest.mark.parametrize("name", ["cat", "trained", "contest", "value", "devil", "0000", "train_test", "labelled", ""])
def test_names_that_say_nothing(name):
    assert named(name) is None


def test_a_further_word_counts_where_it_stands_in_two_parts():
    assert named_among(["train_station", "bus_stop"]) == {}
    found = named_among(["seg_train", "seg_test", "seg_pred", "train_station"])
    assert {name: what.part for name, what in found.items()} == {"seg_train": "train", "seg_test": "test"}


@pytest.mark.parametrize(
    ("counts", "role", "parts"),
    [
        ({"train": 1, "test": 1, "unlabelled": 1, "": 1}, "train", ["train", "unlabelled"]),
        ({"": 1, "test": 1}, "train", [""]),
        ({"valid": 1, "test": 1}, "train", ["valid"]),
        ({"train": 1, "valid": 1, "test": 1}, "test", ["test"]),
        ({"train": 1, "valid": 1}, "test", ["valid"]),
        ({"train": 1, "test": 1}, "valid", ["test"]),
        ({"train": 1, "unlabelled": 1}, "test", ["train", "unlabelled"]),
    ],
)
def test_which_parts_are_read(counts, role, parts):
    assert chosen(counts, role) == parts


def test_a_part_that_is_named():
    assert part_called("Val") == "valid" and part_called("unlabeled") == "unlabelled"
    with pytest.raises(UserError, match=r'no part "tset". Did you mean "test"'):
        part_called("tset")
