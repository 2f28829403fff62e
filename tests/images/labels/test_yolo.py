"""YOLO's folders as users have them (field row 19), and their lines."""

from __future__ import annotations

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.images.labels import open_labelled, open_pair

from .samples import noted, photo

LINE = "1 0.5 0.25 0.5 0.5\n"
BOX = [[15, 0, 45, 20]]


def text(path, content=LINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def yaml(path, content="names: {0: bad, 1: good}\n"):
    return text(path, content)


@pytest.mark.parametrize(
    ("picture", "label", "given"),
    [
        ("image/a.jpg", "labels/a.txt", "."),
        ("images/a.jpg", "labels/a.txt", "images"),
        ("Images/a.jpg", "Labels/a.txt", "."),
        ("a.jpg", "a.txt", "."),
        ("train/images/a.jpg", "train/labels/a.txt", "train/images"),
        ("train/images/a.jpg", "train/labels/a.txt", "train"),
        ("images/train/a.jpg", "labels/train/a.txt", "images/train"),
        ("images/train/a.jpg", "labels/train/a.txt", "."),
        ("images/images/a.jpg", "labels/images/a.txt", "."),
        ("pictures/deep/a.jpg", "txt/a.txt", "."),
        ("a.jpg", "labels/a.txt", "."),
        ("train_images/a.jpg", "train_labels/a.txt", "."),
        ("images/a.b.c.jpg", "labels/a.b.c.txt", "."),
    ],
)
def test_labels_are_found_beside_and_in_parallel_trees(tmp_path, picture, label, given):
    photo(tmp_path / "data" / picture)
    text(tmp_path / "data" / label)
    yaml(tmp_path / "data" / "data.yaml")
    data = open_labelled(tmp_path / "data" / given)
    assert data.classes == ("bad", "good") and data.instances(0).classes.tolist() == [1]
    assert data.instances(0).boxes.tolist() == BOX


def test_no_labels_at_all_is_an_error(tmp_path):
    for k in range(3):
        photo(tmp_path / "images" / f"{k}.jpg")
    text(tmp_path / "labels" / "other.txt")
    with pytest.raises(
        UserError, match=r"0 of 3 pictures have labels .*images/0\.jpg, text files such as labels/other"
    ):
        open_labelled(tmp_path)


def test_pictures_without_a_file_are_background_and_counted_and_old_caches_are_not_read(tmp_path):
    for k in range(3):
        photo(tmp_path / "images" / f"{k}.jpg")
    text(tmp_path / "labels" / "0.txt")
    text(tmp_path / "labels" / "1.txt", "")
    text(tmp_path / "labels" / "9.txt")
    (tmp_path / "labels.cache").write_bytes(b"\x80\x04 a pickle")
    data = open_labelled(tmp_path)
    assert [len(data.instances(k)) for k in range(3)] == [1, 0, 0]
    assert noted(data, "without a text file", ": 1 ", "images/2.jpg") and noted(
        data, "text files without a picture", "9"
    )
    assert noted(data, "2 of 3 pictures have no object")


def test_a_class_beyond_the_names_is_named_with_file_and_line(tmp_path):
    photo(tmp_path / "data" / "image" / "a.jpg")
    text(tmp_path / "data" / "labels" / "a.txt", LINE + "7 0.5 0.5 0.1 0.1\n")
    yaml(tmp_path / "data" / "data.yaml")
    with pytest.raises(UserError, match=r"labels/a\.txt line 2 has the class 7, and .*names 2 \(0 to 1: bad, good\)"):
        open_labelled(tmp_path / "data")


@pytest.mark.parametrize(
    "names",
    [
        "names: [bad, good]\n",
        "names:\n  0: bad\n  1: good\n",
        "names: {'1': good, '0': bad}\nnc: 2\n",
        "nc: 2\nnames: ['bad', \"good\"]\n",
    ],
)
def test_names_may_be_a_list_or_a_dict(tmp_path, names):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt")
    yaml(tmp_path / "data.yaml", names)
    assert open_labelled(tmp_path).classes == ("bad", "good")


def test_names_may_be_in_classes_txt_or_given_or_missing(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt")
    bare = open_labelled(tmp_path)
    assert bare.classes == ("0", "1") and noted(bare, "called by their numbers")
    text(tmp_path / "classes.txt", "bad\ngood\n")
    assert open_labelled(tmp_path).classes == ("bad", "good")
    assert open_labelled(tmp_path, classes="no,yes").classes == ("no", "yes")
    text(tmp_path / "a.txt", "good 0.5 0.25 0.5 0.5\n")
    assert open_labelled(tmp_path).instances(0).classes.tolist() == [1]


def test_polygons_give_masks_and_boxes(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", "0 0.25 0 0.75 0 0.75 0.5 0.25 0.5\n")
    data = open_labelled(tmp_path)
    found = data.instances(0)
    assert found.boxes.tolist() == BOX and found.masks is not None
    wanted = np.zeros((40, 60), bool)
    wanted[:20, 15:45] = True
    np.testing.assert_array_equal(found.masks[0].numpy(), wanted)


def test_lines_with_more_twice_or_with_commas(tmp_path):
    photo(tmp_path / "a.jpg")
    lines = "1 0.5 0.25 0.5 0.5 0.87\n\n# a remark\n1.0, 0.5, 0.25, 0.5, 0.5\n0 0.5 0.25 0.5 0.5\n0 0.5 0.25 0.5 0.5\n"
    text(tmp_path / "a.txt", lines)
    data = open_labelled(tmp_path)
    assert data.instances(0).boxes.tolist() == BOX * 3
    assert noted(data, "confidences", ": 1 ") and noted(data, "stand twice", ": 1 ", "line 6")


def test_keypoints_behind_the_box_are_not_read_as_a_polygon(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", "0 0.5 0.25 0.5 0.5 0.4 0.2 2 0.6 0.3 2\n")
    yaml(tmp_path / "data.yaml", "names: [cow]\nkpt_shape: [2, 3]\n")
    data = open_labelled(tmp_path)
    assert data.instances(0).boxes.tolist() == BOX and not data.has_masks and noted(data, "keypoints")


def test_numbers_in_pixels_stop_with_the_flag(tmp_path):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", "0 15 0 45 20\n")
    with pytest.raises(UserError, match=r"1 of 1 boxes have numbers above 1\.5 .*line 1.* give --boxes xyxy"):
        open_labelled(tmp_path)
    assert open_labelled(tmp_path, boxes="xyxy").instances(0).boxes.tolist() == BOX


@pytest.mark.parametrize(
    "line", ["0 0.5 0.5", "0 a b c d", "0 0.5 0.5 nan 0.5", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7", "-1 .5 .5 .1 .1"]
)
def test_a_broken_line_is_named(tmp_path, line):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt", LINE + line)
    with pytest.raises(UserError, match=r"a\.txt line 2 "):
        open_labelled(tmp_path)


def test_two_pictures_of_one_stem_are_refused(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "a.png")
    text(tmp_path / "labels" / "a.txt")
    with pytest.raises(UserError, match=r"images/a\.jpg and images/a\.png would share labels/a\.txt"):
        open_labelled(tmp_path)


def split(root, content):
    for k, part in enumerate(("train", "valid", "test")):
        photo(root / part / "images" / f"{k}.jpg", seed=k)
        text(root / part / "labels" / f"{k}.txt")
    return yaml(root / "data.yaml", content + "names: [bad, good]\n")


@pytest.mark.parametrize(
    "content",
    [
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n",
        "train: /somewhere/else/train/images\nval: valid/images\ntest: [test]\n",
        "path: /content/data\ntrain: train/images\nval: valid/images\ntest: ./test/images/\n",
    ],
)
def test_a_yaml_gives_training_and_test(tmp_path, content):
    file = split(tmp_path / "set", content)
    for path in (file, file.parent):
        train, test = open_pair(path, want="boxes")
        assert list(train.names) == ["train/images/0.jpg"] and list(test.names) == ["test/images/2.jpg"]


def test_polygons_of_a_yaml_are_masks_of_one_split_alone(tmp_path):
    file = split(tmp_path, "train: train\nval: valid\n")
    for label in tmp_path.rglob("*.txt"):
        label.write_text("0 0.25 0 0.75 0 0.75 0.5 0.25 0.5\n")
    for path in (file, tmp_path):
        train, test = open_pair(path, want="masks")
        assert list(train.names) == ["train/images/0.jpg"] and list(test.names) == ["valid/images/1.jpg"]
        assert train.classes == ("background", "bad", "good") and train.mask(0).unique().tolist() == [0, 1]


def test_the_layout_of_darknet(tmp_path):
    photo(tmp_path / "obj_train_data" / "a.jpg")
    text(tmp_path / "obj_train_data" / "a.txt")
    text(tmp_path / "obj.names", "bad\ngood\n")
    text(tmp_path / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    text(tmp_path / "train.txt", "data/obj_train_data/a.jpg\n")
    for path in (tmp_path, tmp_path / "train.txt"):
        data = open_labelled(path)
        assert data.classes == ("bad", "good") and len(data.instances(0)) == 1


def test_a_yaml_may_name_text_lists(tmp_path):
    file = split(tmp_path, "train: train.txt\nval: /x/val.txt\n")
    text(tmp_path / "train.txt", "./train/images/0.jpg\n/host/valid/images/1.jpg\n")
    text(tmp_path / "val.txt", "test/images/2.jpg\n")
    train, test = open_pair(file)
    assert len(train) == 2 and list(test.names) == ["test/images/2.jpg"]
    assert list(open_labelled(tmp_path / "val.txt").names) == ["test/images/2.jpg"]
    text(tmp_path / "train.txt", "gone.jpg\n")
    with pytest.raises(UserError, match=r"train\.txt names no picture"):
        open_labelled(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("names: 5\n", "names is a int"),
        ("names: {a: [1]}\n", "neither a list of names"),
        ("- a\n- b\n", "no names and values at its top"),
        ("names: !!python/object/apply:os.system ['true']\n", "no YAML that can be read"),
        ("names: [a\n", "no YAML that can be read"),
        ("nothing: 1\n", "has no names"),
        ("names: [bad, good]\ntrain: nowhere\n", "names no pictures below"),
        ("names: [bad, good]\ntrain: 7\n", "train is a int"),
        ("names: [bad, bad]\n", 'names the class "bad" twice'),
    ],
)
def test_a_yaml_from_a_stranger_is_refused_in_a_sentence(tmp_path, content, words):
    photo(tmp_path / "a.jpg")
    text(tmp_path / "a.txt")
    with pytest.raises(UserError, match=words):
        open_labelled(yaml(tmp_path / "data.yaml", content))


def test_a_yaml_that_lies_elsewhere_is_told_where_the_pictures_are(tmp_path):
    split(tmp_path / "set", "")
    file = yaml(tmp_path / "config" / "coco.yaml", "path: ../set\ntrain: train/images\nnames: [bad, good]\n")
    with pytest.raises(UserError, match=r"holds labels and no pictures|names no pictures below .*--images"):
        open_labelled(file)
    assert list(open_labelled(file, images=str(tmp_path / "set")).names) == ["train/images/0.jpg"]
