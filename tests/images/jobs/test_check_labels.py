"""`check` on labelled data: pictures, classes with counts, EXIF turns, what is odd."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import twofold
from twofold.cli import main


@pytest.fixture
def cells(tmp_path):
    """Three pictures, one turned by EXIF, with a COCO file and with masks of 0, 1 and 3."""
    draws = np.random.default_rng(0)
    images, annotations = [], []
    for k in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        picture = Image.fromarray(draws.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        exif = picture.getexif()
        if k == 0:
            exif[274] = 6
        picture.save(tmp_path / "images" / f"{k}.jpg", exif=exif)
        width, height = (40, 60) if k == 0 else (60, 40)
        values = np.zeros((height, width), np.uint8)
        values[:10], values[-10:] = 1, 3
        Image.fromarray(values).save(tmp_path / "masks" / f"{k}.png")
        images.append({"id": k, "file_name": f"{k}.jpg", "width": width, "height": height})
        annotations += [
            {"image_id": k, "category_id": 1 + (k > 1), "bbox": box} for box in ([1, 1, 9, 9], [0, 0, 0, 0])
        ]
    categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "white"}, {"id": 3, "name": "blue"}]
    value = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "labels.json").write_text(json.dumps(value))
    return tmp_path


def test_boxes(cells, capsys):
    found = twofold.check(cells / "labels.json", images=str(cells / "images"))
    text = capsys.readouterr().out
    assert "3 labelled pictures with boxes, 3 classes" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["0", "red", "2", "66.67%", "2"] in rows and ["1", "white", "1", "33.33%", "1"] in rows
    assert "turned by EXIF: 1 (1 labelled turned" in text
    assert "dummy boxes (all 0 or all -1), read as no object: 3" in text and "1 of 3 classes never occur" in text
    assert found["labels"][0]["classes"]["1"] == {"class": "white", "objects": 1}


def test_masks_have_a_table_of_their_values(cells, capsys):
    (cells / "labels.json").unlink()
    found = twofold.check(cells, classes="sky,road,car,tree", backbone="convnet")
    text = capsys.readouterr().out
    assert "A run would train" in text and "3 labelled pictures with masks, 4 classes" in text
    assert "value  class  pixels   share  pictures" in text and "1 of 4 classes never occur" in text
    assert found["labels"][0]["classes"]["3"] == {"class": "tree", "pixels": 1600}


def test_labels_that_cannot_be_read_stop_only_who_asked_for_them(cells, capsys):
    (cells / "labels.json").unlink()
    Image.fromarray(np.full((60, 40, 3), (9, 200, 7), np.uint8)).save(cells / "masks" / "0.png")
    found = twofold.check(cells, backbone="convnet")
    assert "labels that cannot be read as they are: " in capsys.readouterr().out and "colours" in found["labels"]
    with pytest.raises(twofold.errors.UserError):
        twofold.check(cells, classes="a,b,c,d", backbone="convnet")


def test_training_and_test_are_compared(cells, capsys):
    file = str(cells / "labels.json")
    assert main(["check", file, "--images", str(cells / "images"), "--val", file]) == 0
    assert "3 of 3 test images (100%) have a near copy" in capsys.readouterr().out


def test_pictures_to_test_on_may_lie_elsewhere(cells, capsys):
    shutil.copytree(cells / "images", cells / "others")
    shutil.copy(cells / "labels.json", cells / "test.json")
    file, images = str(cells / "labels.json"), ["--images", str(cells / "images")]
    pair = ["--val", str(cells / "test.json"), *images]
    assert main(["check", file, *pair]) == 2
    assert "finds all its 3 pictures among those of" in capsys.readouterr().err
    assert main(["check", file, *pair, "--test-images", str(cells / "others")]) == 0
    assert "3 of 3 test images (100%) have a near copy" in capsys.readouterr().out
    assert main(["check", file, *images, "--test-images", str(cells / "others")]) == 2
    assert "give labels by --val, or leave it out" in capsys.readouterr().err
    both = twofold.check(file, images=cells / "images", val=cells / "test.json", test_images=cells / "others")
    assert [one["pictures"] for one in both["labels"]] == [3, 3]


def test_images_without_such_labels_are_looked_at_as_before(cells, capsys):
    (cells / "labels.json").unlink()
    for k in range(3):
        (cells / "masks" / f"{k}.png").unlink()
    assert "labels" not in twofold.check(cells, backbone="convnet")
    assert "labelled" not in capsys.readouterr().out.rpartition("A run would")[2]


def test_an_option_out_of_bounds_is_refused(cells, capsys):
    assert main(["check", str(cells / "labels.json"), "--boxes", "corners"]) == 2
    assert "--boxes takes one of xywh, xyxy, cxcywh or none" in capsys.readouterr().err


def test_files_of_labels_are_of_images_but_do_not_make_a_folder_one(tmp_path):
    from twofold.images.wing import recognises

    (tmp_path / "config.yaml").write_text("a: 1\n")
    (tmp_path / "items.json").write_text("[]")
    assert recognises(str(tmp_path / "items.json")) and recognises("data.yaml") and not recognises(str(tmp_path))
