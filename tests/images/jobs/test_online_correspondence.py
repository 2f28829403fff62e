"""Correspondence during a run: the same few pairs each time, the network left as it was, beside its floors."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from tests.images.dense.tiny import coloured
from twofold.cli import main
from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.jobs.online_correspondence import MOST, OnlineCorrespondence
from twofold.images.reading import Images, open_source
from twofold.seam import Progress

INPUTS = InputSettings(32, (0.5,) * 3, (0.25,) * 3)
SMALL = ["--backbone", "convnet", "--image-size", "32", "--batch-size", "8", "--no-report"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, picture in enumerate(coloured(40)[0]):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i:02d}.png")
    return folder


def test_it_repeats_itself_and_leaves_everything_as_it_was(photos):
    images = Images(open_source(str(photos)), short_side=64)
    torch.manual_seed(0)
    backbone = build_backbone("convnet", image_size=32).train()
    state = {key: value.clone() for key, value in backbone.state_dict().items()}
    draws = torch.random.get_rng_state()
    found = []
    for _ in range(2):
        online = OnlineCorrespondence(images, backbone, INPUTS, every_epochs=1, seed=0)
        found.append(online(SimpleNamespace(backbone=backbone), Progress(1, 2, 1, 2)))
    assert found[0] == found[1] and 0 < found[0]["correspondence"] < 1
    assert online.latest.pairs == MOST and online.side == 32
    assert backbone.training and torch.equal(torch.random.get_rng_state(), draws)
    assert all(torch.equal(value, state[key]) for key, value in backbone.state_dict().items())
    floors = online.floors(backbone)
    assert list(floors) == ["raw pixels", "untrained network", "chance"] and floors["chance"] == online.latest.chance


def test_coarse_maps_get_larger_crops(photos):
    images = Images(open_source(str(photos)), short_side=64)
    backbone = build_backbone("resnet10", image_size=32, stem="imagenet")
    assert OnlineCorrespondence(images, backbone, INPUTS, every_epochs=1, seed=0).side == 128


def test_a_network_without_a_map_is_not_asked(photos):
    backbone = build_backbone("convnet", image_size=32)
    backbone.map_width = backbone.grid = None
    with pytest.raises(UserError, match="no map of cells"):
        OnlineCorrespondence(Images(open_source(str(photos)), short_side=64), backbone, INPUTS, every_epochs=1, seed=0)


def test_a_run_without_labels_logs_it_and_keeps_it_beside_its_floors(photos, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["pretrain", "simsiam", str(photos), "--out", str(run), "--epochs", "2", *SMALL]) == 0
    printed = capsys.readouterr().out
    rows = list(csv.DictReader((run / "metrics.csv").open(newline="")))
    measured = [float(row["correspondence"]) for row in rows if row.get("correspondence")]
    kept = json.loads((run / "evaluation.json").read_text())
    assert [row["name"] for row in kept] == ["simsiam", "raw pixels", "untrained network", "chance"]
    assert len(measured) == 2 and kept[0]["value"] == pytest.approx(measured[-1], abs=0.05)
    assert "correspondence (crops of 32 px, cells of 8 px, 32 pairs): simsiam " in printed


def test_a_run_on_an_earlier_stage_is_measured_there_beside_floors_of_that_stage(photos, tmp_path, capsys):
    run = tmp_path / "run"
    network = ["--backbone", "resnet10", "--stem", "imagenet", "--image-size", "64", "--batch-size", "8", "--no-report"]
    arguments = ["--out", str(run), "--steps", "2", "--method.feature_stage", "3", *network]
    assert main(["pretrain", "densecl", str(photos), *arguments]) == 0
    assert "correspondence (crops of 64 px, cells of 16 px, 32 pairs): densecl " in capsys.readouterr().out
    kept = json.loads((run / "evaluation.json").read_text())
    assert kept[0]["name"] == "densecl" and len({row["value"] for row in kept}) == 4
    assert load_backbone(run / "backbone.safetensors")[0].grid.stride == 32
    assert main(["pretrain", "densecl", str(photos), *arguments]) == 0  # it goes on, or is done


def test_it_can_be_left_out(photos, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["--out", str(run), "--steps", "2", "--correspondence-every", "0", *SMALL]
    assert main(["pretrain", "simsiam", str(photos), *arguments]) == 0
    assert "correspondence" not in capsys.readouterr().out
    assert "correspondence" not in (run / "metrics.csv").read_text() and not (run / "evaluation.json").exists()


def test_crops_that_share_nothing_are_said_and_not_measured(photos, monkeypatch):
    images = Images(open_source(str(photos)), short_side=64)
    backbone = build_backbone("convnet", image_size=32)
    online = OnlineCorrespondence(images, backbone, INPUTS, every_epochs=1, seed=0)
    monkeypatch.setattr("twofold.images.jobs.online_correspondence.MOST", 2)
    monkeypatch.setattr("twofold.images.dense.correspondence.CROP", (0.003, 0.004))
    said = []
    online.keep(SimpleNamespace(say=said.append), "moco", backbone, 1)
    assert said == ["correspondence: the crops of these images share no cell, so nothing was measured."]
    assert online(SimpleNamespace(backbone=backbone), Progress(1, 2, 1, 2)) == {}
