"""Pictures to learn from and pictures to test on in places of their own, or by mistake in one."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.labels import near_copies, open_labelled, open_pair

from .samples import coco, image, mask, noted, photo, thing, voc, voc_object
from .test_columns import table


@pytest.fixture
def apart(tmp_path):
    """train2017/ and val2017/ of three and two pictures, with their annotations in a third folder."""
    for side, count, first in (("train", 3, 0), ("val", 2, 10)):
        names = [f"{k:012d}.jpg" for k in range(first, first + count)]
        for k, name in enumerate(names):
            photo(tmp_path / f"{side}2017" / name, seed=first + k)
        things = [thing(k, [1, 1, 9 + k, 9]) for k in range(count)]
        coco(tmp_path / "labels" / f"instances_{side}2017.json", [image(k, n) for k, n in enumerate(names)], things)
    return tmp_path


def files(folder):
    return [str(folder / "labels" / f"instances_{side}2017.json") for side in ("train", "val")]


def test_training_and_test_pictures_in_folders_of_their_own(apart):
    places = {"images": str(apart / "train2017"), "test_images": str(apart / "val2017")}
    train, test = open_pair(*files(apart), **places)
    assert list(train.names) == ["000000000000.jpg", "000000000001.jpg", "000000000002.jpg"]
    assert list(test.names) == ["000000000010.jpg", "000000000011.jpg"]
    assert test.instances(1).boxes.tolist() == [[1, 1, 11, 10]]
    assert (test.picture(0) != train.picture(0)).any() and near_copies(train, test).copies == 0
    photo(apart / "val2017" / "000000000011.jpg", seed=2)  # the last training picture once more
    leak = near_copies(*open_pair(*files(apart), **places))
    assert leak.copies == 1 and leak.such_as == ("000000000011.jpg", "000000000002.jpg")


def test_a_test_without_its_pictures_is_sent_to_the_option_of_its_own(apart):
    with pytest.raises(UserError, match=r"none of the 2 pictures .* with --test-images"):
        open_pair(*files(apart), images=str(apart / "train2017"))
    with pytest.raises(UserError, match=r"none of the 3 pictures .* with --images"):
        open_pair(*files(apart), images=str(apart / "val2017"))


def test_a_place_of_test_pictures_without_a_test_is_refused(apart):
    with pytest.raises(UserError, match=r"--test-images says where pictures to test on are, and .* is the only data"):
        open_pair(files(apart)[0], images=str(apart / "train2017"), test_images=str(apart / "val2017"))


def numbered(folder, table_name, count):
    """A table of pictures without names, and a COCO file that counts its rows."""
    table(folder / table_name, count)
    things = [thing(k, [1, 1, 9, 9]) for k in range(count)]
    return coco(folder / "counted.json", [image(k, f"{k}.jpg") for k in range(count)], things)


def test_a_test_matched_with_the_pictures_of_training_is_refused(tmp_path):
    train, test = (numbered(tmp_path / side, "pictures.parquet", count) for side, count in (("a", 4), ("b", 3)))
    wrong, right = (str(tmp_path / side / "pictures.parquet") for side in ("a", "b"))
    with pytest.raises(UserError, match=r"finds all its 3 pictures among those of .*say with --test-images") as error:
        open_pair(train, test, images=wrong)
    assert "pictures.parquet[0]" in str(error.value)
    assert not noted(open_pair(train, test, images=wrong, test_images=right)[1], "very files")
    meant = open_pair(train, test, images=wrong, test_images=wrong)[1]
    assert noted(meant, "3 of 3 pictures of", "are the very files that")


def test_a_file_with_itself_is_measured_as_asked(apart):
    file = files(apart)[0]
    train, test = open_pair(file, file, images=str(apart / "train2017"))
    assert near_copies(train, test).share == 1.0


def test_some_pictures_in_both_are_counted(apart):
    both = coco(apart / "labels" / "both.json", [image(0, f"{0:012d}.jpg"), image(1, f"{10:012d}.jpg")], [])
    for side in ("train", "val"):
        for file in (apart / f"{side}2017").iterdir():
            file.rename(apart / "labels" / file.name)
    assert noted(open_pair(files(apart)[0], both)[1], "1 of 2 pictures of", "000000000000.jpg")
    assert len(open_labelled(both)) == 2


@pytest.mark.parametrize("form", ["masks", "voc", "yolo"])
def test_folders_of_other_forms_have_their_pictures_apart_too(tmp_path, form):
    for side, seed in (("train", 0), ("test", 9)):
        for k in range(2):
            photo(tmp_path / side / f"{k}.jpg", seed=seed + k)
            label = tmp_path / f"{form}_{side}" / f"{k}"
            if form == "masks":
                mask(label.with_suffix(".png"), np.full((40, 60), k, np.uint8))
            elif form == "voc":
                voc(label.with_suffix(".xml"), voc_object("dog", 1, 1, 9, 9 + k))
            else:
                label.parent.mkdir(exist_ok=True)
                label.with_suffix(".txt").write_text(f"0 0.5 0.5 0.5 0.{k + 3}\n")
    labels = tmp_path / f"{form}_train", tmp_path / f"{form}_test"
    train, test = open_pair(*labels, images=str(tmp_path / "train"), test_images=str(tmp_path / "test"))
    assert len(train) == len(test) == 2 and near_copies(train, test).copies == 0
    with pytest.raises(UserError, match="finds all its 2 pictures among those of"):
        open_pair(*labels, images=str(tmp_path / "train"))
    if form != "yolo":  # labels that name other pictures
        for file in labels[1].iterdir():
            file.rename(file.with_stem(f"x{file.stem}"))
        with pytest.raises(UserError, match="with --test-images"):
            open_pair(*labels, images=str(tmp_path / "train"))
