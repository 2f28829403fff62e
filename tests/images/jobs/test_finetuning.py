"""Detection and segmentation by training through the command line: rows, floors, refusals, going on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.images.finetuning.situations import tiny_detection
from tests.images.finetuning.truths import scenes
from twofold.cli import main
from twofold.images.backbones import build_backbone
from twofold.images.finetuning import presets
from twofold.images.finetuning import protocol as protocols
from twofold.images.jobs import finetuning
from twofold.images.jobs.online import UNTRAINED
from twofold.pixels.backbones.export import save_backbone

TINY = ["--iterations", "2", "--train-batch", "2", "--image-size", "64"]


@pytest.fixture
def pictures(monkeypatch):
    """Labelled pictures in memory in the place of files, and presets with narrow heads."""

    def opened(protocol, data, options):
        which = 0 if protocol in ("faster-rcnn", "mask-rcnn") else 1
        said = ["1 of 3 test images have a near copy in training"]
        return scenes(6, name="train", empty=(2,))[which], scenes(3, seed=1, name="test")[which], said

    monkeypatch.setattr(finetuning, "_opened", opened)
    monkeypatch.setitem(presets.DETECTION, "quick", tiny_detection(iterations=3))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A backbone file of a tiny ResNet."""
    torch.manual_seed(0)
    backbone = build_backbone("resnet10", image_size=64, stem="imagenet")
    file = tmp_path_factory.mktemp("model") / "backbone.safetensors"
    save_backbone(backbone, file, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), method="moco")
    return file


def rows_of(file):
    return json.loads(file.read_text())


def test_all_four_protocols_stand_in_one_table_with_their_floor(model, pictures, tmp_path, capsys):
    out = tmp_path / "rows.json"
    names = "faster-rcnn,mask-rcnn,fcn,deeplabv3"
    assert main(["evaluate", str(model), "data", "--protocols", names, "--out", str(out), *TINY]) == 0
    printed, rows = capsys.readouterr().out, rows_of(out)
    assert {row["protocol"] for row in rows} == set(names.split(","))
    assert {(row["name"], row["floor"]) for row in rows} == {("moco", False), (UNTRAINED, True)}
    metrics = {row["protocol"]: {r["metric"] for r in rows if r["protocol"] == row["protocol"]} for row in rows}
    assert {"coco-AP", "coco-AP50", "coco-AP75", "voc07-11pt-AP", "voc07-11pt-AP50"} <= metrics["faster-rcnn"]
    assert {"coco-mask-AP", "coco-AP"} <= metrics["mask-rcnn"]
    assert metrics["fcn"] == metrics["deeplabv3"] == {"mIoU", "pixel-accuracy"}
    assert all(0 <= row["value"] <= 1 for row in rows)
    for name in names.split(","):
        own = {row["settings"] for row in rows if row["protocol"] == name}
        assert len(own) == 1  # alike for all starts, so that each is beside its floor
        (settings,) = own
        assert settings in printed
        assert "preset quick, deviating from it: iterations 2 instead of" in settings
        assert "2 steps of 2 images, every batch full" in settings and "seed 0" in settings
        assert "near copy in training" in settings
    assert "1 of 6 training images without objects left out" in printed
    assert "at most 100 detections an image" in printed
    first = next(row for row in rows if row["metric"] == "mIoU")
    assert set(first["by_class"]) == {"ground", "square", "bar"}


def test_what_deviates_from_a_published_preset_is_said(model, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(presets.DETECTION, "voc-c4-24k", tiny_detection("voc-c4-24k", iterations=2))
    out = tmp_path / "rows.json"
    command = ["evaluate", str(model), "data", "--protocols", "faster-rcnn", "--preset", "voc-c4-24k", "--no-floors"]
    assert main([*command, "--train-batch", "1", "--labels", "0.5", "--out", str(out)]) == 0
    (settings,) = {row["settings"] for row in rows_of(out)}
    assert (
        "preset voc-c4-24k, deviating from it: batch 1 instead of 2; rate 0.01 instead of 0.02; resnet10 inst"
        in settings
    )
    assert "C4 with an extra batch norm on resnet10" in settings
    assert "2 steps of 1 images, every batch full, SGD 0.01, seed 0, 0.5 of the labels" in settings
    assert next(row["metric"] for row in rows_of(out)) == "voc07-11pt-AP"


def test_supervised_weights_stand_beside(model, pictures, tmp_path, capsys):
    torch.save(build_backbone("resnet10", image_size=64, stem="imagenet").network.state_dict(), tmp_path / "labels.pt")
    out = tmp_path / "rows.json"
    command = ["evaluate", str(model), "data", "--protocols", "fcn", "--out", str(out), *TINY]
    assert main([*command, "--supervised-weights", str(tmp_path / "labels.pt")]) == 0
    assert [row["name"] for row in rows_of(out) if row["metric"] == "mIoU"] == ["moco", "supervised", UNTRAINED]
    assert not any(row["floor"] for row in rows_of(out) if row["name"] == "supervised")
    state = dict(build_backbone("resnet10", image_size=64, stem="imagenet").network.state_dict())
    del state["layer1.0.conv1.weight"]
    torch.save(state, tmp_path / "less.pt")
    assert main([*command, "--supervised-weights", str(tmp_path / "less.pt")]) == 2
    assert "lacks 1 of the backbone's weights (layer1.0.conv1.weight)" in capsys.readouterr().err


def test_the_same_command_finds_what_it_had_finished(model, pictures, tmp_path, monkeypatch, capsys):
    out = tmp_path / "rows.json"
    command = ["evaluate", str(model), "data", "--protocols", "fcn", "--no-floors", "--out", str(out), *TINY]
    assert main(command) == 0
    known = rows_of(out)
    assert [row["name"] for row in known] == ["moco", "moco"]
    monkeypatch.setattr(protocols, "train", lambda *given: pytest.fail("it was trained again"))
    assert main(command) == 0
    assert rows_of(out) == known
    with pytest.raises(pytest.fail.Exception):
        main([*command, "--seed", "1"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--protocols", "fcn", "--preset", "voc-c4-24k"], 'fcn has no preset "voc-c4-24k". It has: quick'),
        (["--protocols", "faster-rcnn", "--preset", "cityscapes"], "It has: quick, voc-c4-24k, coco-fpn-1x"),
        (["--protocols", "faster-rcn"], 'Did you mean "faster-rcnn"'),
        (["--protocols", "deeplabv3", "--train-batch", "1"], "cannot learn from batches of 1"),
        (["--protocols", "fcn", "--preset", "papers"], "--preset"),
        (["--protocols", "fcn", "--supervised-weights", "no.pt"], "no.pt does not exist"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_trained(
    model, pictures, monkeypatch, capsys, arguments, words
):
    monkeypatch.setattr(protocols, "train", lambda *given: pytest.fail("it was trained"))
    assert main(["evaluate", str(model), "data", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_backbone_that_does_not_do_is_refused_before_anything_is_trained(pictures, monkeypatch, capsys):
    monkeypatch.setattr(protocols, "train", lambda *given: pytest.fail("it was trained"))
    for name, preset, words in (
        ("convnet", "voc-c4-24k", "needs a ResNet, whose last stage becomes the head"),
        ("torchvision:vit_b_16", "quick", "does not take pictures of any size and shape"),
    ):
        command = ["evaluate", f"random:{name}", "data", "--protocols", "faster-rcnn", "--preset", preset]
        assert main([*command, "--image-size", "32"]) == 2
        assert words in capsys.readouterr().err


def test_real_files_go_through(model, tmp_path, capsys):
    pytest.importorskip("twofold.images.labels.opening")
    boxed, masked = scenes(6)
    images, annotations = [], []
    photos, street = tmp_path / "objects" / "photos", tmp_path / "street" / "seg"
    for folder in (photos, street / "images", street / "masks"):
        folder.mkdir(parents=True)
    for i in range(6):
        pixels = Image.fromarray(boxed.picture(i).permute(1, 2, 0).numpy())
        pixels.save(photos / f"{i}.png")
        pixels.save(street / "images" / f"{i}.png")
        mask = masked.mask(i).clone()
        mask[mask < 0] = 255
        Image.fromarray(mask.numpy().astype(np.uint8)).save(street / "masks" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 64})
        found = boxed.instances(i)
        for (left, top, right, bottom), c in zip(found.boxes.tolist(), found.classes.tolist(), strict=True):
            box = [left, top, right - left, bottom - top]
            annotations.append({"id": 0, "image_id": i, "category_id": c, "bbox": box})
    categories = [{"id": 0, "name": "square"}, {"id": 1, "name": "bar"}]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (photos / "labels.json").write_text(json.dumps(coco))
    out = tmp_path / "rows.json"
    boxes = ["evaluate", str(model), str(photos / "labels.json"), "--out", str(out), "--no-floors", *TINY]
    assert main([*boxes, "--protocols", "faster-rcnn"]) == 0
    assert "coco-AP" in {row["metric"] for row in rows_of(out)}
    assert main([*boxes, "--protocols", "mask-rcnn"]) == 2
    assert "masks" in capsys.readouterr().err
    for one in annotations:
        left, top, width, height = one["bbox"]
        right, bottom = left + width, top + height
        one["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
    (photos / "labels.json").write_text(json.dumps(coco))
    assert main([*boxes, "--protocols", "mask-rcnn"]) == 0
    assert "coco-mask-AP" in {row["metric"] for row in rows_of(out)}
    assert main(["evaluate", str(model), str(street), "--out", str(out), *TINY, "--protocols", "fcn"]) == 0
    assert "mIoU" in {row["metric"] for row in rows_of(out)}
