"""Objects in a column of parquet, or of metadata.jsonl beside images."""

from __future__ import annotations

import json

import pyarrow.parquet as parquet
import pytest

from twofold.errors import UserError
from twofold.images.labels import form_of, open_labelled, open_pair

from .samples import noted, photo
from .test_columns import NAMES, table

BOX = [3.0, 4.0, 20.0, 10.0]
CORNERS = [3, 4, 23, 14]


def objects(*kinds, box=BOX, key="category"):
    """A struct of lists with so many boxes."""
    return {"id": list(range(len(kinds))), "bbox": [box] * len(kinds), key: list(kinds)}


def jsonl(folder, *values, column="objects"):
    """metadata.jsonl of pictures 0.jpg, 1.jpg ..."""
    lines = [{"file_name": f"{k}.jpg", column: value} for k, value in enumerate(values)]
    for k in range(len(values)):
        photo(folder / f"{k}.jpg", seed=k)
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.mark.parametrize(
    "values",
    [
        [objects(0, 1), objects(), objects(1)],
        [[{"bbox": BOX, "category": 0}, {"bbox": BOX, "category": 1}], [], [{"bbox": BOX, "category": 1}]],
        [objects(0, 1), None, objects(1)],
    ],
    ids=["lists in a struct", "structs in a list", "none"],
)
def test_a_column_of_objects(tmp_path, values):
    file = table(tmp_path / "train.parquet", objects=values, name=NAMES)
    assert form_of(str(file)) == "objects"
    data = open_labelled(file)
    assert list(data.names) == NAMES and data.classes == ("0", "1") and not data.has_masks
    assert data.instances(0).boxes.tolist() == [CORNERS, CORNERS] and data.instances(0).classes.tolist() == [0, 1]
    assert len(data.instances(1).boxes) == 0 and noted(data, "1 of 3 pictures have no object")
    assert noted(data, "Boxes are those of column objects") and noted(data, "--classes names them")
    assert open_labelled(file, classes="cat,dog").classes == ("cat", "dog")


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": {"category": {"names": ["cat", "dog"], "_type": "ClassLabel"}}, "_type": "Sequence"},
        {"category": {"feature": {"names": ["cat", "dog"]}, "_type": "List"}, "bbox": {"_type": "List"}},
    ],
)
def test_names_that_the_datasets_library_wrote(tmp_path, feature):
    file = table(tmp_path / "train.parquet", objects=[objects(1), objects(1), objects(0)])
    told = {b"huggingface": json.dumps({"info": {"features": {"objects": feature}}}).encode()}
    parquet.write_table(parquet.read_table(file).replace_schema_metadata(told), file)
    data = open_labelled(file)
    assert data.classes == ("cat", "dog") and data.instances(0).classes.tolist() == [1]


def test_parts_and_classes_of_training_and_test(tmp_path):
    for side, name in (("train", "cat"), ("test", "dog")):
        table(tmp_path / f"{side}.parquet", objects=[objects("cat"), objects(name), objects("cat")])
    train, test = open_pair(tmp_path, tmp_path)
    assert train.classes == test.classes == ("cat", "dog") and test.instances(1).classes.tolist() == [1]
    assert noted(train, "test (1 file) left out")


def test_corners_stop_with_the_flag(tmp_path):
    file = table(tmp_path / "a.parquet", objects=[objects(*[0] * 4, box=[30.0, 20.0, 55.0, 38.0])] * 3)
    with pytest.raises(UserError, match="give --boxes xyxy"):
        open_labelled(file)
    assert open_labelled(file, boxes="xyxy").instances(0).boxes[0].tolist() == [30, 20, 55, 38]


def test_without_classes_all_are_of_one(tmp_path):
    data = open_labelled(table(tmp_path / "a.parquet", faces=[{"bbox": [BOX]}] * 3))
    assert data.classes == ("object",) and noted(data, "No class is told")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([{"bbox": [BOX, BOX], "category": [1]}], r"lists of several lengths \(bbox 2, category 1\)"),
        ([[{"bbox": BOX, "category": 1}, {"bbox": BOX, "category": None}]], "has no class, where others have one"),
        ([objects(-1)], "has the class -1: classes are numbers from 0"),
        ([objects(10**9)], "has the class 1000000000: classes are numbers from 0"),
    ],
)
def test_refused_in_a_sentence(tmp_path, values, words):
    file = table(tmp_path / "a.parquet", objects=values * 3)
    with pytest.raises(UserError, match=words):
        open_labelled(file)


def test_a_class_beyond_the_names_is_named_with_its_place(tmp_path):
    file = table(tmp_path / "a.parquet", objects=[objects(0), objects(0, 7), objects(0)], name=NAMES)
    with pytest.raises(UserError, match=r"s_2\.png objects\[1\] has the class 7, and .* names 2 \(cat, dog\)"):
        open_labelled(file, classes="cat,dog")


def test_metadata_beside_images(tmp_path):
    folder = jsonl(tmp_path / "train", objects("cat"), objects("dog", "cat"), objects())
    photo(folder / "more.jpg")
    assert form_of(str(folder)) == "objects"
    for path in (folder, tmp_path):
        data = open_labelled(path)
        assert len(data) == 3 and data.classes == ("cat", "dog") and data.instances(1).classes.tolist() == [1, 0]
        assert noted(data, "do not name, left out: 1 (such as more.jpg)")
    jsonl(tmp_path / "test", objects("dog"))
    with pytest.raises(UserError, match=r"several metadata\.jsonl with objects \(test/metadata\.jsonl, train/"):
        open_labelled(tmp_path)
    assert open_pair(folder, tmp_path / "test")[1].instances(0).classes.tolist() == [1]


def test_metadata_that_names_a_picture_twice_or_mixes_classes(tmp_path):
    folder = jsonl(tmp_path, objects("cat"), objects("dog"))
    text = (folder / "metadata.jsonl").read_text()
    (folder / "metadata.jsonl").write_text(text.replace("1.jpg", "0.jpg"))
    with pytest.raises(UserError, match=r"names 0\.jpg more than once"):
        open_labelled(folder)
    (folder / "metadata.jsonl").write_text(text.replace('"dog"', "3"))
    with pytest.raises(UserError, match=r"classes by number \(3\) and by name \('cat'\)"):
        open_labelled(folder)


def test_metadata_of_classes_alone_is_no_label_of_boxes(tmp_path):
    folder = jsonl(tmp_path, "cat", "dog", column="label")
    assert form_of(str(folder)) is None
