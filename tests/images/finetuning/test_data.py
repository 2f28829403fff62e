"""The order of a training, splits, and classes numbered by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.images.finetuning.truths import scenes
from twofold.errors import UserError
from twofold.images.finetuning.data import few, hold_out, numbered_like, place


@pytest.mark.parametrize("count", [1, 5, 367])
def test_every_picture_comes_once_an_epoch_and_every_batch_is_full(count):
    row = [place(count, 0, position) for position in range(3 * count)]
    for epoch in range(3):
        assert sorted(row[epoch * count : (epoch + 1) * count]) == list(range(count))
    assert [place(count, 0, p) for p in range(3 * count)] == row
    if count == 367:
        assert row[:count] != row[count : 2 * count] != [place(count, 1, p) for p in range(count, 2 * count)]


def test_pictures_are_held_out_by_the_seed():
    data = scenes(10)[0]
    train, test = hold_out(data, 0)
    assert (len(train), len(test)) == (8, 2)
    assert sorted([*train.names, *test.names]) == list(data.names)
    assert hold_out(data, 0)[1].names == test.names
    assert any(hold_out(data, seed)[1].names != test.names for seed in range(1, 4))
    assert torch.equal(test.picture(0), data.picture(data.names.index(test.names[0])))
    with pytest.raises(UserError, match="too few to hold some out"):
        hold_out(scenes(1)[0], 0)


def test_few_labels_are_nested_and_never_one():
    data = scenes(20)[0]
    small, large = few(data, 0.1, 0), few(data, 0.5, 0)
    assert (len(small), len(large)) == (2, 10)
    assert set(small.names) <= set(large.names)
    assert len(few(data, 0.01, 0)) == 2
    assert few(data, 1.0, 0) is data


def test_classes_are_numbered_by_name():
    boxed, masked = scenes(3)
    other = replace(boxed, classes=("bar", "square"))
    assert torch.equal(numbered_like(other, boxed.classes).instances(0).classes, 1 - boxed.instances(0).classes)
    turned = numbered_like(replace(masked, classes=("square", "bar", "ground")), masked.classes)
    table = {-1: -1, 0: 1, 1: 2, 2: 0}
    assert torch.equal(turned.mask(0), masked.mask(0).clone().apply_(table.__getitem__))
    assert turned.mask(0).dtype == torch.int16
    bars = replace(boxed.instances(0), classes=torch.tensor([0, 0]))
    fewer = replace(boxed, classes=("bar",), read_instances=lambda i: bars)
    assert numbered_like(fewer, boxed.classes).instances(0).classes.tolist() == [1, 1]
    with pytest.raises(UserError, match='has the class "disc", which the pictures to learn from do not have'):
        numbered_like(replace(boxed, classes=("square", "disc")), boxed.classes)
