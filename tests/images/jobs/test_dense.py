"""Dense protocols through the verb `evaluate`: from files to rows, beside their floors; what is refused."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from tests.images.dense.test_roi_linear import things
from tests.images.dense.tiny import coloured
from twofold.cli import main
from twofold.images.jobs.dense_protocols import PROTOCOLS

NETWORK = ["random:convnet", "--image-size", "32"]
SMALL = ["--dense-size", "32", "--ignore-id", "9"]
ON_MASKS = "linear-segmentation,retrieval-segmentation,cluster-segmentation"


def encoded(array) -> bytes:
    held = io.BytesIO()
    Image.fromarray(array).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Parquet files of 14 and 8 pictures with masks, ignored pixels written as 9."""
    folder = tmp_path_factory.mktemp("masks")
    for name, count, seed in (("train", 14, 1), ("test", 8, 2)):
        pictures, masks = coloured(count, seed=seed)
        table = {
            "image": [encoded(picture.permute(1, 2, 0).numpy()) for picture in pictures],
            "mask": [encoded(np.where(mask.numpy() < 0, 9, mask.numpy()).astype(np.uint8)) for mask in masks],
            "name": [f"{name}_{i:03d}" for i in range(count)],
        }
        parquet.write_table(pa.table(table), folder / f"{name}.parquet")
    return str(folder / "train.parquet"), str(folder / "test.parquet")


def rows_of(out):
    return json.loads(out.read_text())


def test_every_protocol_on_masks_beside_its_floors(files, tmp_path, capsys):
    train, test = files
    out = tmp_path / "rows.json"
    protocols = f"correspondence,{ON_MASKS}"
    arguments = ["--test", test, "--protocols", protocols, "--epochs", "4", "--out", str(out), *SMALL]
    assert main(["evaluate", NETWORK[0], train, *NETWORK[1:], *arguments]) == 0
    printed, rows = capsys.readouterr().out, rows_of(out)
    assert "14 pictures to learn from, 8 to test on, 3 classes; maps of short side 32 px, cells of 8 px" in printed
    assert "near copy among 14 training images" in printed
    by = {(row["protocol"], row["metric"], row["name"]): row for row in rows}
    for protocol in protocols.split(","):
        names = {name for p, _, name in by if p == protocol}
        beside = "chance" if protocol == "correspondence" else "majority class"
        assert names == {"untrained (seed 0)", "raw pixels", "untrained network", beside}
        assert f"\n{protocol}, raw pixels: " in printed
        assert len({row["settings"] for row in rows if row["protocol"] == protocol}) == 1
    assert all(row["floor"] == (row["name"] != "untrained (seed 0)") for row in rows)
    assert all(row["data"] == test and row["seed"] == 0 for row in rows)
    for row in rows:
        learned = [row[part].get("learned from") for part in ("conditions", "fingerprints")]
        assert learned == [None, None] if row["protocol"] == "correspondence" else learned[0] == train and learned[1]
        assert row["fingerprints"]["data"] not in learned and row["conditions"]["size"] == "32 px"
    error = by["correspondence", "median error px", "raw pixels"]
    assert error["unit"] == "px" and error["lower_is_better"] and " px" in printed
    linear = by["linear-segmentation", "mIoU", "raw pixels"]
    assert set(linear["iou"]) == {"0", "1", "2"} and linear["absent"] == [] and linear["rate"] in (0.01, 0.03, 0.1)
    assert linear["value"] > by["linear-segmentation", "mIoU", "majority class"]["value"] + 0.2
    assert by["linear-segmentation", "mIoU", "majority class"]["value"] < 0.2
    assert "retrieval-segmentation: short side 32 px, cells of 8 px, scored at the masks' own size, 3" in printed


def test_a_run_keeps_them_and_its_page_shows_them(files, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, picture in enumerate(coloured(12)[0]):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    run = tmp_path / "run"
    small = ["--backbone", "convnet", "--image-size", "32", "--batch-size", "4", "--steps", "2"]
    assert main(["pretrain", "simclr", str(folder), "--out", str(run), *small]) == 0
    arguments = ["--protocols", "correspondence,retrieval-segmentation", *SMALL]
    assert main(["evaluate", str(run), files[0], "--test", files[1], *arguments]) == 0
    kept = rows_of(run / "evaluation.json")
    assert {"simclr", "raw pixels", "untrained network", "chance", "majority class"} <= {row["name"] for row in kept}
    page = (run / "report.html").read_text()
    assert "retrieval-segmentation" in page and "acc@1cell" in page and "median error px" in page


def test_classes_without_a_test_pixel_are_named(files, tmp_path, capsys):
    names = tmp_path / "classes.txt"
    names.write_text("red\ngreen\nblue\nviolet\n")
    arguments = ["--protocols", "linear-segmentation", "--epochs", "1", "--classes", str(names), "--no-floors", *SMALL]
    assert main(["evaluate", NETWORK[0], files[0], "--test", files[1], *NETWORK[1:], *arguments]) == 0
    printed = capsys.readouterr().out
    named = (
        r"leaves out what has no pixel in the test masks: violet; \d[\d,]* of [\d,]+ pixels were taken for such a class"
    )
    assert re.search(named, printed) and "4 classes" in printed


def test_a_share_of_the_labelled_pictures(files, tmp_path, capsys):
    out = tmp_path / "rows.json"
    arguments = ["--protocols", "retrieval-segmentation", "--labels", "0.3", "--no-floors", "--out", str(out), *SMALL]
    assert main(["evaluate", NETWORK[0], files[0], "--test", files[1], *NETWORK[1:], *arguments]) == 0
    assert "4 pictures to learn from, 8 to test on" in capsys.readouterr().out
    assert {row["conditions"]["labels"] for row in rows_of(out)} == {0.3}


def test_a_fifth_is_held_out_where_no_test_is_given(files, capsys):
    arguments = ["--protocols", "retrieval-segmentation", "--no-floors", *SMALL]
    assert main(["evaluate", NETWORK[0], files[0], *NETWORK[1:], *arguments]) == 0
    printed = capsys.readouterr().out
    assert "11 pictures to learn from, 3 to test on" in printed and "raw pixels" not in printed


def boxed(tmp_path):
    """COCO files beside ten pictures with coloured boxes each, train/labels.json and test/labels.json."""
    files = []
    for part, seed in (("train", 1), ("test", 2)):
        pictures, instances = things(10, seed)
        coco = {"images": [], "annotations": [], "categories": [{"id": k + 1, "name": n} for k, n in enumerate("abc")]}
        (tmp_path / part).mkdir()
        for i, (picture, found) in enumerate(zip(pictures, instances, strict=True)):
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / part / f"{i}.png")
            coco["images"].append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 32})
            for (left, top, right, bottom), kind in zip(found.boxes.tolist(), found.classes.tolist(), strict=True):
                box = [left, top, right - left, bottom - top]
                coco["annotations"].append({"image_id": i, "category_id": kind + 1, "bbox": box})
        files.append(tmp_path / part / "labels.json")
        files[-1].write_text(json.dumps(coco))
    return files


def test_protocols_on_boxes_of_a_coco_file(tmp_path, capsys):
    files = boxed(tmp_path)
    out = tmp_path / "rows.json"
    arguments = ["--test", str(files[1]), "--protocols", "roi-linear,discovery,correspondence", "--out", str(out)]
    assert main(["evaluate", NETWORK[0], str(files[0]), *NETWORK[1:], *arguments, "--dense-size", "32"]) == 0
    by = {(row["protocol"], row["metric"], row["name"]): row["value"] for row in rows_of(out)}
    assert by["roi-linear", "top1", "raw pixels"] > by["roi-linear", "top1", "majority class"] + 0.2
    assert (
        0 <= by["discovery", "CorLoc LOST", "untrained (seed 0)"] <= 1
        and by["discovery", "CorLoc LOST", "whole picture"] == 0
    )
    assert "30 boxes to learn from, 30 to test on" in capsys.readouterr().out
    arguments = ["--protocols", "correspondence", "--dense-size", "32", "--no-floors"]
    assert main(["evaluate", NETWORK[0], str(files[0]), *NETWORK[1:], *arguments]) == 0
    assert "10 pictures; maps of short side 32 px" in capsys.readouterr().out


def test_pictures_to_learn_from_and_to_test_on_in_folders_of_their_own(tmp_path, capsys):
    away = [file.rename(tmp_path / f"{file.parent.name}.json") for file in boxed(tmp_path)]
    (tmp_path / "photos").mkdir()
    train, test = (str((tmp_path / part).rename(tmp_path / "photos" / part)) for part in ("train", "test"))
    arguments = [*NETWORK[1:], "--test", str(away[1]), "--images", train, "--dense-size", "32", "--no-floors"]
    command = ["evaluate", NETWORK[0], str(away[0]), *arguments, "--protocols"]
    assert main([*command, "roi-linear,correspondence", "--test-images", test]) == 0
    assert "of 10 test images" in capsys.readouterr().out
    assert main([*command, "roi-linear"]) == 2
    assert "finds all its 10 pictures among those of" in capsys.readouterr().err
    for protocol in ("roi-linear", "correspondence"):
        lonely = ["evaluate", NETWORK[0], str(away[0]), "--protocols", protocol, "--test-images", test]
        assert main([*lonely, "--images", train, *NETWORK[1:]]) == 2
        assert "--test-images says where" in capsys.readouterr().err


def test_correspondence_needs_no_labels(tmp_path, capsys):
    for i, picture in enumerate(coloured(6)[0]):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "rows.json"
    arguments = ["--protocols", "correspondence,correspondence-colour", "--dense-size", "32", "--out", str(out)]
    assert main(["evaluate", NETWORK[0], str(tmp_path), *NETWORK[1:], *arguments]) == 2
    assert "of which 1 cannot be read" in capsys.readouterr().err
    (tmp_path / "broken.png").unlink()
    assert main(["evaluate", NETWORK[0], str(tmp_path), *NETWORK[1:], *arguments]) == 0
    assert "6 pictures; maps of short side 32 px" in capsys.readouterr().out
    assert {row["protocol"] for row in rows_of(out)} == {"correspondence", "correspondence-colour"}


def test_keypoints_of_a_file_of_pairs(tmp_path, capsys):
    for name, picture in zip("ab", coloured(2)[0], strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{name}.png")
    pair = {"src_imname": "a.png", "trg_imname": "b.png", "trg_bndbox": [0, 0, 40, 30]}
    points = {"src_kps": [[3, 4], [20, 20]], "trg_kps": [[5, 5], [30, 20]]}
    file = tmp_path / "pairs.json"
    file.write_text(json.dumps([{**pair, **points}, {**pair, "src_kps": [], "trg_kps": []}]))
    arguments = ["--protocols", "keypoints", "--dense-size", "32"]
    assert main(["evaluate", NETWORK[0], str(file), *NETWORK[1:], *arguments]) == 0
    printed = capsys.readouterr().out
    assert "1 pairs mark no point and are left out." in printed and "2 points of 1 pairs" in printed
    assert "keypoints PCK@0.1 by pair" in printed and "chance" in printed


def test_the_reading_of_open_hummingbird_is_named(files, capsys):
    arguments = ["--protocols", "retrieval-segmentation", "--compat", "open-hummingbird", "--memory-cells", "28"]
    whole = ["evaluate", NETWORK[0], files[0], "--test", files[1], *NETWORK[1:], *arguments, "--no-floors", *SMALL]
    assert main(whole) == 0
    assert "28 cells, k 30, T 0.02, as open-hummingbird-eval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--protocols", "linear-segmentatio"], 'Did you mean "linear-segmentation"'),
        (["--protocols", "roi-linear"], "has masks but no boxes"),
        (["--protocols", "discovery,linear-segmentation"], "has no boxes, which discovery needs"),
        (["--protocols", ON_MASKS, "--dense-layers", "3"], "has no stages 3 and 4"),
        (["--protocols", "keypoints"], "no file of pairs"),
    ],
)
def test_what_is_refused(files, arguments, says, capsys):
    assert main(["evaluate", NETWORK[0], files[0], *NETWORK[1:], *arguments, *SMALL]) == 2
    assert says in capsys.readouterr().err


def test_every_protocol_is_in_the_help_and_the_docs(capsys):
    page = (Path(__file__).parents[3] / "docs" / "dense.md").read_text()
    assert all(f"| `{name}` |" in page for name in PROTOCOLS)
    assert main(["evaluate", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(name in printed for name in PROTOCOLS)


def test_a_comparison_by_maps_needs_no_classes(files, tmp_path, capsys):
    train, test = files
    out = tmp_path / "out"
    small = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--steps", "2", "--no-report"]
    protocols = ["--protocols", "correspondence,retrieval-segmentation", "--dense-size", "32", "--ignore-id", "9"]
    command = [
        "compare",
        "simclr,simsiam",
        train,
        "--test",
        test,
        "--out",
        str(out),
        "--seeds",
        "2",
        *small,
        *protocols,
    ]
    assert main(command) == 0
    assert "answers without any map" in capsys.readouterr().out
    result = json.loads((out / "compare.json").read_text())
    assert [row["name"] for row in result["rows"]] == [
        "simclr", "simsiam", "raw pixels", "untrained network", "chance", "majority class",
    ]  # fmt: skip
    columns = {column["key"]: column for column in result["columns"]}
    assert list(columns)[:3] == [
        "correspondence acc@1cell", "correspondence median error px", "retrieval-segmentation mIoU",
    ]  # fmt: skip
    error = columns["correspondence median error px"]
    assert (error["unit"], error["main"], error["floored"]) == ("number", False, False)
    assert columns["retrieval-segmentation mIoU"]["main"]
    assert all(len(row["numbers"]["retrieval-segmentation mIoU"]["values"]) == 2 for row in result["rows"][:2])
    assert main(command) == 0
    assert "4 of 4 runs were finished before" in capsys.readouterr().out
    assert main([*command, "--dense-layers", "3"]) == 2
    assert "dense_layers was not set and is now 3" in capsys.readouterr().err
