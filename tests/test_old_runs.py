"""Run folders of an older version still go on, evaluate, embed, recommend, export, report: old_runs/README.md."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import twofold
from twofold.cli import main

OLD = Path(__file__).parent / "old_runs"
IMAGES = """
    pretrain moco+co2 images.npz --backbone tiny_network:tiny --image-size 8 --batch-size 8 --precision fp32 --workers 0
    --knn-every 3 --log-every 7 --save-every 0 --no-report --method.queue 16 --method.dim 8
"""
PAIRS = "pretrain sgl pairs.csv --batch-size 16 --patience 0 --log-every 7 --save-every 0 --no-report --method.dim 8"
COMMANDS = {"images-stopped": f"{IMAGES} --epochs 20", "interactions-stopped": f"{PAIRS} --epochs 20"}


def run(command: str, *more: str) -> int:
    return main([*command.split(), *more])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A copy of the folder, the current one, with the times that git does not keep."""
    copied = tmp_path / "old_runs"
    shutil.copytree(OLD, copied)
    for name, seconds in json.loads((OLD / "mtimes.json").read_text()).items():
        os.utime(copied / name, (seconds, seconds))
    monkeypatch.chdir(copied)
    monkeypatch.syspath_prepend(str(copied))
    return copied


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_stopped_run_goes_on_to_the_numbers_of_the_unbroken_one(name, here, capsys):
    expected = json.loads((OLD / "expected.json").read_text())["runs"][name]
    assert run(COMMANDS[name], "--out", name) == 0
    assert "Going on from step" in capsys.readouterr().out
    assert run(COMMANDS[name], "--out", name) == 0
    assert "This run is finished" in capsys.readouterr().out
    found = rows(here / name)
    assert [row["step"] for row in found] == [row["step"] for row in expected["metrics"]]
    for row, wanted in zip(found, expected["metrics"], strict=True):
        for column, value in wanted.items():
            if column == "knn":
                continue  # asked image by image then, and by folds today
            assert bool(row[column]) == bool(value)
            assert not value or float(row[column]) == pytest.approx(float(value), rel=1e-3, abs=1e-5), column
    state = torch.load(here / name / "checkpoints" / "last.ckpt", weights_only=True)["method"]
    for key, wanted in expected["method"].items():
        assert state[key].double().norm().item() == pytest.approx(wanted["norm"], rel=1e-4, abs=1e-6), key


def test_a_finished_run_on_images_is_as_good_as_a_new_one(here, capsys):
    assert twofold.evaluate("images-finished", "images.npz", protocols="5nn", quiet=True, trust=True)
    assert twofold.embed("images-finished", "images.npz", quiet=True, trust=True).is_file()
    assert twofold.export("images-finished", format="safetensors", trust=True).is_file()
    page = twofold.report(["images-finished"]).read_text()
    assert "Finished at step 18" in page and "moco+co2 on images.npz" in page
    assert run(IMAGES, "--epochs", "6", "--out", "images-finished") == 0
    assert "This run is finished" in capsys.readouterr().out


def test_a_finished_run_on_interactions_is_as_good_as_a_new_one(here):
    before = load_file(here / "interactions-finished" / "model.safetensors")
    assert {row["protocol"] for row in twofold.evaluate("interactions-finished", "pairs.csv", quiet=True)} >= {
        "ranking"
    }
    assert twofold.recommend("interactions-finished", k=3, quiet=True).is_file()
    assert twofold.similar("interactions-finished", "i1", k=3).is_file()
    assert twofold.embed("interactions-finished", "items", quiet=True).is_file()
    assert "Finished at step 40" in twofold.report("interactions-finished").read_text()
    assert before.keys() == load_file(here / "interactions-finished" / "model.safetensors").keys()


def test_a_formula_recommends_and_goes_on(here):
    assert twofold.recommend("formula", k=3, quiet=True).is_file()
    assert twofold.evaluate("formula", "pairs.csv", quiet=True)
    assert "a formula over the data ranks" in twofold.report(["formula"]).read_text()
    assert main(["pretrain", "popularity", "pairs.csv", "--no-report", "--quiet", "--out", "formula"]) == 0


def test_other_settings_than_the_old_ones_are_refused(here, capsys):
    assert run(COMMANDS["images-stopped"], "--out", "images-stopped", "--weight-decay", "0.1") == 2
    assert "weight_decay was 0.0005 and is now 0.1" in capsys.readouterr().err
