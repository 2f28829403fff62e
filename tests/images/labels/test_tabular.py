"""Labelled parquet in numbered parts, in a folder or by a pattern."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.labels import form_of, open_labelled, open_pair

from .samples import coco, image, noted, thing
from .test_columns import VALUES, stored, table

MASKS = [stored(VALUES), stored(np.roll(VALUES, 10, 0)), stored(VALUES[::-1].copy())]


@pytest.fixture
def hub(tmp_path):
    """data/ of a clone: two parts of train (3 and 2 rows), one of test (2 rows), a list of classes."""
    for name, count in (("train-00000-of-00002", 3), ("train-00001-of-00002", 2), ("test-00000-of-00001", 2)):
        table(tmp_path / "data" / f"{name}.parquet", count, mask=MASKS[:count])
    (tmp_path / "data" / "classes.txt").write_text("sky\nroad\ncar\nvoid\n")
    return tmp_path


def test_the_parts_of_train_are_one_set_and_the_rest_is_left_out(hub):
    assert form_of(str(hub)) == "masks"
    data = open_labelled(hub)
    assert len(data) == 5 and data.classes == ("sky", "road", "car")
    assert data.names[3] == "train-00001-of-00002.parquet[0]"
    np.testing.assert_array_equal(data.mask(4)[20:30, 0], 1 + np.zeros(10))  # the second mask of the second part
    assert noted(data, "train (2 files)", "test (1 file) left out")
    assert sum(tally.count for tally in data.tallies) == 5 * VALUES.size


def test_a_test_at_the_same_place_takes_the_part_of_that_name(hub):
    train, test = open_pair(hub, hub)
    assert (len(train), len(test)) == (5, 2) and test.names[0].startswith("test-00000")
    assert noted(test, "test (1 file) is read to test on")
    assert not noted(test, "very files")


def test_one_part_is_held_out_of_where_no_test_is_named(hub):
    train, test = open_pair(hub, share=0.4)
    assert len(train) + len(test) == 5 and all(name.startswith("train-") for name in [*train.names, *test.names])


def test_a_part_by_name_and_a_pattern(hub):
    assert len(open_labelled(hub, part="test")) == 2 and len(open_labelled(hub, part="all")) == 7
    assert len(open_labelled(str(hub / "data" / "train-*.parquet"))) == 5
    with pytest.raises(UserError, match=r"has no part valid but test \(1 file\) and train \(2 files\)"):
        open_labelled(hub, part="valid")


def test_parts_by_a_column_of_the_table(tmp_path):
    file = table(tmp_path / "a.parquet", 3, mask=MASKS, split=["train", "test", "train"])
    train, test = open_pair(file, file)
    assert (len(train), len(test)) == (2, 1) and noted(train, "by column split")
    np.testing.assert_array_equal(test.mask(0)[:10, 0], 3 * np.ones(10))


def boxed(folder, names, side):
    """Parts of a side without names, and the COCO file that counts their rows."""
    for k, count in enumerate(names):
        table(folder / f"{side}-{k:05d}-of-{len(names):05d}.parquet", count)
    rows = range(sum(names))
    things = [thing(k, [1 + k, 1, 9, 9]) for k in rows]
    return coco(folder / f"instances_{side}.json", [image(k, f"{k}.jpg") for k in rows], things)


def test_boxes_beside_the_parts_that_bear_their_name(tmp_path):
    train, test = boxed(tmp_path, [2, 3], "train"), boxed(tmp_path, [2], "test")
    assert form_of(str(tmp_path)) == "coco"
    for data in (open_labelled(tmp_path), open_labelled(train)):
        assert len(data) == 5 and data.instances(3).boxes.tolist() == [[4, 1, 13, 10]]
        assert data.names[3] == "train-00001-of-00002.parquet[1]"
    assert [len(one) for one in open_pair(tmp_path, tmp_path)] == [5, 2]
    assert open_pair(tmp_path, tmp_path)[1].names[0] == "test-00000-of-00001.parquet[0]"
    assert [len(one) for one in open_pair(train, test)] == [5, 2]


def test_parts_without_labels_are_refused(tmp_path):
    table(tmp_path / "train-00000-of-00001.parquet")
    assert form_of(str(tmp_path)) is None
    with pytest.raises(UserError, match=r"no column of masks or objects and no COCO file of its name"):
        open_labelled(tmp_path)
