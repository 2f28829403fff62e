"""VOC's XML as tools write it (field row 22), difficult objects (23), and XML from strangers."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.images.labels import open_labelled
from twofold.images.labels.xml import XMLError, parse

from .samples import noted, photo, voc, voc_object


def opened(folder, objects, **more):
    photo(folder / "a.jpg")
    voc(folder / "a.xml", objects, **more)
    return open_labelled(folder)


def test_floats_are_kept_and_corners_counted_from_0_once(tmp_path):
    data = opened(tmp_path, voc_object("dog", 45.7, 1, 60, 40))
    assert data.instances(0).boxes.tolist() == [[pytest.approx(44.7), 0, 60, 40]]
    assert noted(data, "count from 1", "--boxes xyxy")
    same = open_labelled(tmp_path, boxes="xyxy")
    assert same.instances(0).boxes.tolist() == [[pytest.approx(45.7), 1, 60, 40]]


def test_files_that_seem_to_count_from_0_are_named(tmp_path):
    data = opened(tmp_path, voc_object("dog", 0, 0, 20, 20) + voc_object("dog", 5, 5, 20, 20))
    assert noted(data, "1 of 2 boxes begin at 0") and data.instances(0).boxes[0].tolist() == [0, 0, 20, 20]


def test_several_boxes_of_an_object_count_and_those_of_its_parts_do_not(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></part>"
    second = "<bndbox><ymax>20</ymax><xmax>20</xmax><ymin>11</ymin><xmin>11</xmin></bndbox>"
    data = opened(tmp_path, voc_object("person", 31, 1, 40, 10, extra=part + second))
    assert data.classes == ("person",)
    assert sorted(data.instances(0).boxes.tolist()) == [[10, 10, 20, 20], [30, 0, 40, 10]]
    assert noted(data, "several boxes", "a.xml")


@pytest.mark.parametrize(
    ("extra", "difficult"),
    [
        ("", False),
        ("<truncated>0.06</truncated><difficult>1</difficult>", True),
        ("<difficult>0</difficult>", False),
        ("<difficult>Unspecified</difficult>", False),
        ("<difficult> 1.0 </difficult>", True),
    ],
)
def test_difficult_is_read_and_need_not_be_there(tmp_path, extra, difficult):
    found = opened(tmp_path, voc_object("dog", 1, 1, 9, 9, extra=extra)).instances(0)
    assert found.difficult.tolist() == [difficult] and found.crowd.tolist() == [False]


@pytest.mark.parametrize(
    "size", ["", "<size><width>0</width><height>0</height></size>", "<size><width>x</width></size>"]
)
def test_the_size_is_taken_from_the_picture_where_the_file_has_none(tmp_path, size):
    data = opened(tmp_path, voc_object("dog", 1, 1, 60, 40), size=size)
    assert data.instances(0).boxes.tolist() == [[0, 0, 60, 40]] and noted(data, "without a size")


def test_swapped_corners_are_exchanged_and_counted(tmp_path):
    data = opened(tmp_path, voc_object("dog", 30, 20, 11, 6))
    assert data.instances(0).boxes.tolist() == [[10, 5, 30, 20]] and noted(data, "swapped corners", ": 1 ")


def test_width_and_height_in_place_of_corners_stop_with_the_flag(tmp_path):
    with pytest.raises(UserError, match="give --boxes xywh"):
        opened(tmp_path, "".join(voc_object("dog", 30 + k, 22, 18, 15) for k in range(12)))
    assert open_labelled(tmp_path, boxes="xywh").instances(0).boxes[0].tolist() == [30, 22, 48, 37]


def test_the_picture_is_the_one_of_the_files_own_name_first(tmp_path):
    photo(tmp_path / "b.jpg", seed=1)
    data = opened(tmp_path, voc_object("dog", 1, 1, 9, 9), filename="b")
    assert list(data.names) == ["a.jpg"] and noted(data, "name another picture", "a.xml, b")
    voc(tmp_path / "c.xml", voc_object("dog", 1, 1, 9, 9), filename="b")
    assert list(open_labelled(tmp_path).names) == ["a.jpg", "b.jpg"]


def test_latin_1_that_does_not_say_so_is_read_and_counted(tmp_path):
    photo(tmp_path / "a.jpg")
    voc(tmp_path / "a.xml", voc_object("caf\u00e9", 1, 1, 9, 9))
    (tmp_path / "a.xml").write_bytes((tmp_path / "a.xml").read_text("utf-8").encode("latin-1"))
    data = open_labelled(tmp_path)
    assert data.classes == ("caf\u00e9",) and noted(data, "Latin-1")


def test_what_cannot_be_used_is_counted(tmp_path):
    photo(tmp_path / "b.jpg", seed=1)
    (tmp_path / "other.xml").write_text("<project><name>x</name></project>")
    voc(tmp_path / "gone.xml", voc_object("dog", 1, 1, 9, 9))
    objects = "<object><name>dog</name></object>" + voc_object("dog", "x", 1, 9, 9) + voc_object("dog", 9, 9, 9, 9)
    data = opened(tmp_path, objects + voc_object("dog", 100, 100, 120, 120))
    assert data.instances(0).boxes.tolist() == [[8, 8, 9, 9]]
    for words in (
        "objects without a box", "XML files without a picture", "something else than VOC", "do not name",
        "outside their picture",
    ):  # fmt: skip
        assert noted(data, words)
    assert noted(data, "something else than four numbers")


def test_the_layout_of_voc_with_its_lists(tmp_path):
    root = tmp_path / "VOC2007"
    for k, name in enumerate(("000001", "000002", "000003")):
        photo(root / "JPEGImages" / f"{name}.jpg", seed=k)
        voc(root / "Annotations" / f"{name}.xml", voc_object("cat", 1, 1, 9, 9), filename=f"{name}.jpg")
        photo(root / "SegmentationClass" / f"{name}.png", seed=k)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "trainval.txt").write_text("000001  1\n000003 -1\n")
    data = open_labelled(root / "ImageSets" / "Main" / "trainval.txt")
    assert list(data.names) == ["JPEGImages/000001.jpg", "JPEGImages/000003.jpg"]
    assert len(open_labelled(root, want="boxes")) == 3


def test_no_picture_for_any_file_is_an_error_with_the_remedy(tmp_path):
    voc(tmp_path / "xml" / "a.xml", voc_object("dog", 1, 1, 9, 9))
    photo(tmp_path / "jpg" / "a.jpg")
    with pytest.raises(UserError, match="--images"):
        open_labelled(tmp_path / "xml")
    assert len(open_labelled(tmp_path / "xml", images=str(tmp_path / "jpg"))) == 1


LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "declares entities"),
        (OUTSIDE, "declares entities"),
        ("<a>" * 100 + "</a>" * 100, "nested too deep"),
        ("<annotation>", "no XML"),
        ("", "no XML"),
        ("\x00\x01", "no XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "no XML|cannot be decoded"),
    ],
)
def test_xml_from_strangers_is_refused_in_a_sentence(tmp_path, text, words):
    with pytest.raises(XMLError, match=words):
        parse(text.encode("latin-1"))
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(UserError, match=rf"a\.xml: .*({words})"):
        open_labelled(tmp_path)


def test_a_plain_document_type_does_no_harm():
    root, latin = parse(b"<!DOCTYPE annotation><annotation><size><width> 5 </width></size></annotation>")
    assert root.tag == "annotation" and root.all("size")[0].value("width") == "5" and not latin


def test_a_list_of_classes_numbers_them_and_must_have_them_all(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert opened(tmp_path, voc_object("dog", 1, 1, 9, 9)).instances(0).classes.tolist() == [1]
    with pytest.raises(UserError, match=r"objects called fox, which .*classes\.txt lacks \(cat, dog\)"):
        opened(tmp_path, voc_object("fox", 1, 1, 9, 9))
