"""COCO files as they are found: ids (field row 2), sizes of objects (10), pictures by name (11), empty pictures (20),
difficult objects (23), forms of boxes (32), and wrong types."""

from __future__ import annotations

import json

import pytest

from twofold.errors import UserError
from twofold.images.labels import open_labelled, open_pair

from .samples import coco, image, noted, one, photo, thing

BOX = [10, 5, 20, 30]
CORNERS = [[10, 5, 30, 35]]


@pytest.mark.parametrize("ids", [[0, 1], [7, 7], ["a", "b"], [None, None], [{}, []], [1.5, True]])
def test_ids_of_annotations_count_for_nothing(tmp_path, ids):
    annotations = [thing(1, BOX, id=ids[0]), thing(1, [0, 0, 5, 5], id=ids[1])]
    if ids[0] is None:
        annotations = [{k: v for k, v in a.items() if k != "id"} for a in annotations]
    assert open_labelled(one(tmp_path, annotations)).instances(0).boxes.tolist() == [*CORNERS, [0, 0, 5, 5]]


@pytest.mark.parametrize("key", [1, "1", 1.0])
def test_ids_of_pictures_may_be_numbers_or_text(tmp_path, key):
    assert len(open_labelled(one(tmp_path, [thing(key, BOX)])).instances(0)) == 1


@pytest.mark.parametrize("area", [{}, {"area": 0}, {"area": "12.5"}, {"area": None}, {"area": -1}])
def test_the_area_is_made_from_the_box_or_the_mask_and_never_read(tmp_path, area):
    ring = [10, 5, 30, 5, 30, 15, 10, 15]
    data = open_labelled(one(tmp_path, [thing(1, BOX, **area), thing(1, [10, 5, 20, 10], segmentation=[ring], **area)]))
    assert data.for_detection().instances(0).areas.tolist() == [600, 200]
    assert data.instances(0).areas.tolist() == [200]


def test_two_pictures_with_one_id_are_named(tmp_path):
    for k in (1, 2):
        photo(tmp_path / "images" / str(k) / "a.jpg", seed=k)
    file = coco(tmp_path / "x.json", [image(1, "images\\1/a.jpg"), image(1, "images\\2/a.jpg")], [])
    with pytest.raises(UserError, match=r"images\\1/a\.jpg and images\\2/a\.jpg have one id, 1: give each its own"):
        open_labelled(file)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("images\\1/a.jpg", "images/1/a.jpg"),
        ("C:\\data\\project\\2\\a.jpg", "images/2/a.jpg"),
        ("/somewhere/else/images/2/a.jpg", "images/2/a.jpg"),
        ("../../1/a.jpg", "images/1/a.jpg"),
        ("./images/2/a.jpg", "images/2/a.jpg"),
        ("file:///x/b%20c.jpg", "images/b c.jpg"),
        ("b c.JPG", "images/b c.jpg"),
        ("b c", "images/b c.jpg"),
        ("cafe\u0301.png", "images/caf\u00e9.png"),
        ("40%25.png", "images/40%.png"),
        ("d%20e.png", "images/d%20e.png"),
        ("https://host/x/b%20c.jpg?token=1&y=/z", "images/b c.jpg"),
        ("/data/local-files/?d=images/2/a.jpg", "images/2/a.jpg"),
    ],
)
def test_pictures_are_found_by_whatever_a_file_calls_them(tmp_path, name, found):
    for k, one_name in enumerate(("1/a.jpg", "2/a.jpg", "b c.jpg", "caf\u00e9.png", "40%.png", "d%20e.png", "d e.png")):
        photo(tmp_path / "images" / one_name, seed=k)
    data = open_labelled(coco(tmp_path / "x.json", [image(3, name)], [thing(3, BOX)]))
    assert list(data.names) == [found] and noted(data, "do not name, left out", ": 6 ")


def test_a_picture_of_another_folder_or_ending_is_taken_and_counted(tmp_path):
    photo(tmp_path / "train" / "a.jpg")
    photo(tmp_path / "train" / "b.png")
    data = open_labelled(coco(tmp_path / "x.json", [image(1, "val/a.jpg"), image(2, "b.jpg")], []))
    assert noted(data, "in another folder, or with another ending", ": 2 ", "train/a.jpg for val/a.jpg")


def test_a_name_that_fits_two_pictures_is_refused_with_both(tmp_path):
    for k in (1, 2):
        photo(tmp_path / str(k) / "a.jpg", seed=k)
    with pytest.raises(UserError, match=r"'a\.jpg' of the labels may be 1/a\.jpg, 2/a\.jpg"):
        open_labelled(coco(tmp_path / "x.json", [image(1, "a.jpg")], []))


def test_nothing_outside_the_root_is_opened(tmp_path):
    photo(tmp_path / "secret.jpg")
    photo(tmp_path / "data" / "a.jpg", seed=1)
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "%2e%2e/secret.jpg", "..\\secret.jpg"):
        with pytest.raises(UserError, match="holds none of the 1 pictures that the labels name"):
            open_labelled(coco(tmp_path / "data" / "x.json", [image(1, name)], []))


def test_pictures_beside_the_annotations_folder_or_where_the_user_says(tmp_path):
    photo(tmp_path / "train2017" / "a.jpg")
    file = coco(tmp_path / "annotations" / "instances_train2017.json", [image(1, "a.jpg")], [thing(1, BOX)])
    assert len(open_labelled(file)) == 1
    away = coco(tmp_path / "elsewhere" / "x.json", [image(1, "a.jpg")], [thing(1, BOX)])
    with pytest.raises(UserError, match=r"holds no pictures .* --images"):
        open_labelled(away)
    assert len(open_labelled(away, images=str(tmp_path / "train2017"))) == 1
    photo(tmp_path / "other" / "b.jpg")
    with pytest.raises(UserError, match=r"holds none of the 1 pictures .* --images"):
        open_labelled(away, images=str(tmp_path / "other"))


def test_folders_of_tools_are_opened_whole(tmp_path):
    photo(tmp_path / "cvat" / "images" / "default" / "a.jpg")
    coco(tmp_path / "cvat" / "annotations" / "instances_default.json", [image(1, "a.jpg")], [thing(1, BOX)])
    photo(tmp_path / "roboflow" / "a_jpg.rf.0123456789.jpg")
    coco(tmp_path / "roboflow" / "_annotations.coco.json", [image(0, "a_jpg.rf.0123456789.jpg")], [thing(0, BOX)])
    photo(tmp_path / "studio" / "images" / "d2f3a4b5-a.jpg")
    coco(tmp_path / "studio" / "result.json", [image(0, "images\\3\\d2f3a4b5-a.jpg")], [thing(0, BOX)])
    for tool in ("cvat", "roboflow", "studio"):
        assert open_labelled(tmp_path / tool).instances(0).boxes.tolist() == CORNERS
    coco(tmp_path / "studio" / "second.json", [image(0, "d2f3a4b5-a.jpg")], [])
    with pytest.raises(UserError, match=r"several COCO files \(result\.json, second\.json\): give one of them"):
        open_labelled(tmp_path / "studio")


def test_missing_unreadable_and_repeated_pictures_are_counted(tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    images = [image(1, "a.jpg"), image(2, "gone.jpg"), image(3, "broken.jpg"), image(4, "a.jpg")]
    data = open_labelled(coco(tmp_path / "x.json", images, [thing(k, BOX) for k in (1, 2, 3, 4, 9)]))
    assert list(data.names) == ["a.jpg"] and len(data.instances(0)) == 2
    assert noted(data, "not found, left out", "gone.jpg") and noted(data, "cannot be read", "broken.jpg")
    assert (
        noted(data, "listed twice") and noted(data, "a picture that images lacks") and noted(data, "class and box of")
    )


def test_empty_pictures_are_kept_and_dummy_boxes_are_no_objects(tmp_path):
    for k in range(4):
        photo(tmp_path / f"{k}.jpg", seed=k)
    boxes = {1: [0, 0, 0, 0], 2: [-1, -1, -1, -1], 3: BOX}
    data = open_labelled(
        coco(tmp_path / "x.json", [image(k, f"{k}.jpg") for k in range(4)], [thing(k, b) for k, b in boxes.items()])
    )
    assert [len(data.instances(k)) for k in range(4)] == [0, 0, 0, 1]
    assert data.instances(0).boxes.shape == (0, 4)
    assert noted(data, "dummy boxes", ": 2 ") and noted(data, "3 of 4 pictures have no object")


@pytest.mark.parametrize("more", [{"difficult": 1}, {"ignore": 1}, {"difficult": "1"}, {"ignore": True}])
def test_difficult_objects_are_kept_apart_from_crowds(tmp_path, more):
    found = open_labelled(one(tmp_path, [thing(1, BOX, **more), thing(1, BOX, iscrowd=1), thing(1, BOX)])).instances(0)
    assert found.difficult.tolist() == [True, False, False] and found.crowd.tolist() == [False, True, False]


LOWER_RIGHT = [[60 + k, 55 + k, 80 + k, 90 + k] for k in range(10)]


def hundred(folder, values, **options):
    photo(folder / "a.png", 100, 100)
    file = coco(folder / "x.json", [image(1, "a.png", 100, 100)], [thing(1, box) for box in values])
    return open_labelled(file, **options)


def test_boxes_of_two_corners_stop_with_the_flag(tmp_path):
    with pytest.raises(
        UserError, match=r"100% of 10 boxes leave .* but none as left, top, right, bottom: give --boxes xyxy"
    ):
        hundred(tmp_path, LOWER_RIGHT)
    data = hundred(tmp_path, LOWER_RIGHT, boxes="xyxy")
    assert data.instances(0).boxes.tolist() == LOWER_RIGHT and noted(data, "as --boxes says")


def test_boxes_by_their_centres_stop_with_the_flag(tmp_path):
    centred = [[85, 85, 20, 20], [10, 90, 15, 18], [50, 50, 90, 90], [88, 12, 22, 20]]
    with pytest.raises(UserError, match="give --boxes cxcywh"):
        hundred(tmp_path, centred)
    assert hundred(tmp_path, centred, boxes="cxcywh").instances(0).boxes[0].tolist() == [75, 75, 95, 95]


@pytest.mark.parametrize(
    ("form", "fractions"),
    [("xywh", [0.5, 0.25, 0.5, 0.5]), ("xyxy", [0.5, 0.25, 1.0, 0.75]), ("cxcywh", [0.75, 0.5, 0.5, 0.5])],
)
def test_fractions_stop_and_are_read_where_the_user_says_so(tmp_path, form, fractions):
    with pytest.raises(UserError, match=r"look like fractions of the picture: give --boxes"):
        hundred(tmp_path, [fractions])
    data = hundred(tmp_path, [fractions], boxes=form)
    assert data.instances(0).boxes.tolist() == [[50, 25, 100, 75]] and noted(data, "fractions of the picture")


def test_boxes_that_fit_no_form_stop_and_may_be_clipped(tmp_path):
    boxes = [[90, 90, 300, 50], [10, 10, 5, 5], *[[50, 50, 60, 60]] * 12]
    with pytest.raises(UserError, match=r"93% of 14 boxes .* some in every other form.* --boxes xywh to clip"):
        hundred(tmp_path, boxes)
    data = hundred(tmp_path, boxes, boxes="xywh")
    assert data.instances(0).boxes[0].tolist() == [90, 90, 100, 100] and noted(data, "clipped", ": 13 ")


def test_one_box_over_the_edge_is_no_form_of_its_own(tmp_path):
    data = hundred(tmp_path, [[80, 70, 15, 40]])
    assert data.instances(0).boxes.tolist() == [[80, 70, 95, 100]] and noted(data, "clipped", ": 1 ")


def test_a_few_boxes_over_the_edge_are_clipped_and_counted(tmp_path):
    data = hundred(tmp_path, [[10, 10, 5, 5]] * 30 + [[90, 90, 15, 5]])
    assert data.instances(0).boxes[-1].tolist() == [90, 90, 100, 95] and noted(data, "clipped", ": 1 ")


@pytest.mark.parametrize(
    "value",
    [
        {"x": 10, "y": 5, "width": 20, "height": 30},
        {"xmin": 10, "ymin": 5, "xmax": 30, "ymax": 35},
        {"x1": "10", "y1": "5", "x2": "30", "y2": "35"},
        {"cx": 20, "cy": 20, "w": 20, "h": 30},
        "[10, 5, 20, 30]",
        "10 5 20 30",
        "10,5,20,30",
        ["10", "5", "20.0", "30"],
        [[10, 5, 20, 30]],
    ],
)
def test_boxes_as_text_or_by_names_are_read_and_counted(tmp_path, value):
    data = open_labelled(one(tmp_path, [thing(1, value)]))
    assert data.instances(0).boxes.tolist() == CORNERS
    assert (isinstance(value, list) and isinstance(value[0], list)) or noted(data, "boxes", "read", ": 1 ")


@pytest.mark.parametrize(
    "value", [[1, 2, 3], "big", {"a": 1}, [1, 2, 3, None], [1, 2, 3, float("nan")], 7, [[1], 2, 3, 4]]
)
def test_what_is_no_box_is_counted_and_left_out(tmp_path, value):
    data = open_labelled(one(tmp_path, [thing(1, value), thing(1, BOX)]))
    assert data.instances(0).boxes.tolist() == CORNERS
    assert noted(data, "not used", ": 1 ") and noted(data, "without box and without segmentation", ": 1 ")


def test_boxes_of_no_size_are_left_out_and_counted(tmp_path):
    data = open_labelled(
        one(tmp_path, [thing(1, b) for b in ([5, 5, 0, 9], [5, 5, 9, 0.4], [59.5, 3, 9, 9], *[BOX] * 60)])
    )
    assert len(data.instances(0)) == 60 and noted(data, "less than a pixel", "left out")


def test_a_box_is_taken_from_the_segmentation_where_it_has_none(tmp_path):
    ring = [10, 5, 30, 5, 30, 35, 10, 35]
    boxes = [thing(1, None, segmentation=[ring]), thing(1, [0, 0, 0, 0], segmentation=[ring])]
    assert open_labelled(one(tmp_path, boxes)).instances(0).boxes.tolist() == CORNERS * 2


GROUPED = [
    {"id": 0, "name": "cells", "supercategory": "none"},
    {"id": 1, "name": "red", "supercategory": "cells"},
    {"id": 5, "name": "white", "supercategory": "cells"},
]


def opened(folder, categories, annotations, **more):
    photo(folder / "a.jpg")
    return open_labelled(coco(folder / "x.json", [image(1, "a.jpg")], annotations, categories, **more))


def test_a_grouping_category_without_annotations_is_no_class(tmp_path):
    data = opened(tmp_path, GROUPED, [thing(1, BOX, 5)])
    assert data.classes == ("red", "white") and data.instances(0).classes.tolist() == [1]
    assert noted(data, '"cells"', "groups others") and noted(data, "1 of 2 classes never occur", "red")
    used = opened(tmp_path / "used", GROUPED, [thing(1, BOX, 0)])
    assert used.classes == ("cells", "red", "white")


def test_categories_of_one_id_and_annotations_of_none_are_refused(tmp_path):
    twice = [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]
    with pytest.raises(UserError, match="a and b have one category id, 1"):
        opened(tmp_path, twice, [])
    with pytest.raises(UserError, match=r"annotations\[0\] has category_id 9, which categories lacks \(1 such"):
        opened(tmp_path, GROUPED, [thing(1, BOX, 9)])


def test_categories_of_one_name_are_one_class_and_none_at_all_go_by_their_ids(tmp_path):
    data = opened(tmp_path, [{"id": 1, "name": "a"}, {"id": 4, "name": "a"}], [thing(1, BOX, 1), thing(1, BOX, 4)])
    assert data.classes == ("a",) and noted(data, "those of one name")
    (tmp_path / "x.json").write_text(json.dumps({"images": [image(1, "a.jpg")], "annotations": [thing(1, BOX, 7)]}))
    bare = open_labelled(tmp_path / "x.json")
    assert bare.classes == ("7",) and noted(bare, "no categories")


def test_classes_of_training_and_test_agree_by_name(tmp_path):
    for side in ("train", "test"):
        photo(tmp_path / side / "a.jpg")
    first = ({"id": 1, "name": "a"}, {"id": 2, "name": "b"})
    other = ({"id": 1, "name": "b"}, {"id": 2, "name": "c"}, {"id": 3, "name": "unused"})
    train = coco(tmp_path / "train" / "x.json", [image(1, "a.jpg")], [thing(1, BOX, 2)], first)
    test = coco(tmp_path / "test" / "x.json", [image(1, "a.jpg")], [thing(1, BOX, 1), thing(1, BOX, 2)], other)
    ours, theirs = open_pair(train, test, want="boxes")
    assert ours.classes == theirs.classes == ("a", "b", "c")
    assert ours.instances(0).classes.tolist() == [1] and theirs.instances(0).classes.tolist() == [1, 2]
    assert noted(ours, "2 of 3 classes never occur", "a, c") and noted(theirs, "1 of 3 classes", "a")
    assert not noted(ours, "differ in case")


def test_names_that_differ_in_case_or_spaces_are_two_classes_and_said(tmp_path):
    for side in ("train", "test"):
        photo(tmp_path / side / "a.jpg")
    train = coco(
        tmp_path / "train" / "x.json", [image(1, "a.jpg")], [thing(1, BOX, 1)], [{"id": 1, "name": "Red cell"}]
    )
    test = coco(tmp_path / "test" / "x.json", [image(1, "a.jpg")], [thing(1, BOX, 1)], [{"id": 1, "name": "redcell "}])
    for data in open_pair(train, test, want="boxes"):
        assert data.classes == ("Red cell", "redcell ")
        assert noted(data, '"Red cell" and "redcell " differ in case or spaces alone')


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "holds a list at its top"),
        ({"images": {}, "annotations": []}, "images is a dict: COCO has a list there"),
        ({"images": [], "annotations": "many"}, "annotations is a str"),
        ({"images": [7], "annotations": []}, r"images\[0\] is a int: COCO has an object"),
        ({"images": [], "annotations": [[]]}, r"annotations\[0\] is a list"),
        ({"images": [], "annotations": [], "categories": 3}, "categories is a int"),
        ({"images": [{"id": 1}], "annotations": []}, r"images\[0\] has no file_name"),
        ({"images": [{"id": 1, "file_name": 5}], "annotations": []}, "no file_name"),
        ({"images": [{"file_name": "a.jpg"}], "annotations": []}, r"images\[0\] has no id"),
        ({"images": [{"id": [1], "file_name": "a.jpg"}], "annotations": []}, "no id that is a number or text"),
        ({"images": [], "annotations": [], "categories": [{"name": "a"}]}, r"categories\[0\] has no id"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}]}, "has no annotations"),
        ({"annotations": []}, "has no images"),
        ({"images": [], "annotations": []}, "lists no pictures"),
    ],
)
def test_wrong_types_are_refused_in_one_sentence(tmp_path, value, words):
    photo(tmp_path / "a.jpg")
    (tmp_path / "x.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=words) as error:
        open_labelled(tmp_path / "x.json")
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"images": ' + "9" * 5000 + "}", "\x00\xff", ""])
def test_what_is_no_json_is_refused(tmp_path, text):
    photo(tmp_path / "a.jpg")
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"x\.json"):
        open_labelled(tmp_path / "x.json")


@pytest.mark.parametrize(
    "sides", [{"width": 0, "height": 0}, {"width": "60", "height": "40"}, {"width": 10**400, "height": 1}]
)
def test_sizes_of_any_type_are_read_or_taken_from_the_picture(tmp_path, sides):
    photo(tmp_path / "a.jpg")
    data = open_labelled(coco(tmp_path / "x.json", [{"id": 1, "file_name": "a.jpg", **sides}], [thing(1, BOX)]))
    assert data.instances(0).boxes.tolist() == CORNERS
    assert noted(data, "sizes in the labels that cannot be") or sides["width"] == "60"


def test_the_panoptic_form_is_refused_by_its_name(tmp_path):
    annotation = {"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 1}]}
    with pytest.raises(UserError, match=r"COCO's panoptic form, .* give the instances_\*\.json"):
        open_labelled(one(tmp_path, [annotation]))


def test_huge_numbers_in_boxes_are_counted(tmp_path):
    data = open_labelled(one(tmp_path, [thing(1, [10**400, 1, 2, 3]), thing(1, BOX)]))
    assert noted(data, "something else than numbers")


def test_classes_may_be_put_in_order_by_the_user(tmp_path):
    photo(tmp_path / "a.jpg")
    file = coco(tmp_path / "x.json", [image(1, "a.jpg")], [thing(1, BOX, 5)], tuple(GROUPED))
    assert open_labelled(file, classes="white,red").classes == ("white", "red")
    with pytest.raises(UserError, match="white, which --classes lacks"):
        open_labelled(file, classes="red,blue")


def test_what_is_about_masks_is_refused_for_boxes(tmp_path):
    file = one(tmp_path, [thing(1, BOX)])
    for options in ({"ignore_id": 255}, {"snap": True}, {"mask_column": "mask"}):
        with pytest.raises(UserError, match="is about masks: leave it out"):
            open_labelled(file, **options)
