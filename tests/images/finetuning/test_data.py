"""The order of a training, and few labels."""

from __future__ import annotations

import pytest

from tests.images.finetuning.truths import scenes
from twofold.images.finetuning.data import few, place


@pytest.mark.parametrize("count", [1, 5, 367])
def test_every_picture_comes_once_an_epoch_and_every_batch_is_full(count):
    row = [place(count, 0, position) for position in range(3 * count)]
    for epoch in range(3):
        assert sorted(row[epoch * count : (epoch + 1) * count]) == list(range(count))
    assert [place(count, 0, p) for p in range(3 * count)] == row
    if count == 367:
        assert row[:count] != row[count : 2 * count] != [place(count, 1, p) for p in range(count, 2 * count)]


def test_few_labels_are_nested_and_never_one():
    data = scenes(20)[0]
    small, large = few(data, 0.1, 0), few(data, 0.5, 0)
    assert (len(small), len(large)) == (2, 10)
    assert set(small.names) <= set(large.names)
    assert len(few(data, 0.01, 0)) == 2
    assert few(data, 1.0, 0) is data
