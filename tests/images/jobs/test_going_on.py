"""A run goes on with a copy of its data, from the checkpoint before a damaged one; what was lost is made again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from twofold.cli import main
from twofold.runs.results import read_results

SMALL = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--log-every", "1", "--precision", "fp32"]


def numbers(path: Path, count: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8)
    np.savez(path, images=pixels, labels=np.arange(count) % 2)
    return path


def command(data, out, *more):
    return ["pretrain", "simsiam", str(data), "--out", str(out), *SMALL, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data, images for the kNN, weights to start from, and a finished run of them."""
    place = tmp_path_factory.mktemp("made") / "here"
    data, val = numbers(place / "data.npz", 24), numbers(place / "val.npz", 10, seed=1)
    first = ["--steps", "2", "--no-report", "--quiet"]
    assert main(command(data, place / "first", *first)) == 0
    more = ["--val", str(val), "--weights", str(place / "first"), "--epochs", "2"]
    assert main(command(data, place / "run", *more)) == 0
    return place


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made / "run", tmp_path / "run")


def again(place, run, *more):
    inputs = ["--val", str(place / "val.npz"), "--weights", str(place / "first")]
    return main(command(place / "data.npz", run, *inputs, *(more or ("--epochs", "2"))))


def test_a_copy_in_another_place_goes_on(made, run, tmp_path, capsys):
    staged = tmp_path / "scratch"
    shutil.copytree(made, staged, ignore=shutil.ignore_patterns("run"))
    for name in ("data.npz", "val.npz"):
        os.utime(staged / name, (1.0, 1.0))
    assert again(staged, run, "--epochs", "2", "--devices", "1") == 0
    said = capsys.readouterr().out
    assert said.count("the content is the same, so the run goes on") == 3 and "This run is finished" in said
    assert "other times of change" in said
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["data"] == str(staged / "data.npz") and config["weights"] == str(staged / "first")


@pytest.mark.parametrize("name", ["data.npz", "val.npz", "first"])
def test_other_content_is_refused(made, run, tmp_path, capsys, name):
    staged = tmp_path / "scratch"
    shutil.copytree(made, staged, ignore=shutil.ignore_patterns("run"))
    if name == "first":
        assert main(command(staged / "data.npz", staged / "second", "--steps", "1", "--no-report", "--quiet")) == 0
        shutil.copy(staged / "second" / "backbone.safetensors", staged / "first")
    else:
        numbers(staged / name, {"data.npz": 24, "val.npz": 10}[name], seed=5)
    assert again(staged, run) == 2
    assert str(staged / name) in capsys.readouterr().err


def test_more_epochs_go_on_to_the_bytes_of_a_run_of_that_length(made, tmp_path):
    steady = ["--schedule", "constant", "--warmup-epochs", "1", "--no-report", "--quiet"]
    for out, lengths in (("on", "24"), ("straight", "4")):
        for epochs in lengths:
            assert main(command(made / "data.npz", tmp_path / out / "run", *steady, "--epochs", epochs)) == 0
    one, two = (tmp_path / which / "run" for which in ("on", "straight"))
    assert (one / "backbone.safetensors").read_bytes() == (two / "backbone.safetensors").read_bytes()
    trained = {entry["conditions"]["epochs trained"] for entry in read_results(one)}
    assert trained == {2, 4}


def test_more_epochs_are_had_from_the_run_as_weights(made, run, tmp_path, capsys):
    assert again(made, run, "--epochs", "3") == 2
    assert f"--epochs 3 --weights {run} --out {run}-longer" in capsys.readouterr().err
    out = tmp_path / "longer"
    more = ["--weights", str(run), "--steps", "1", "--lr", "1e-12", "--weight-decay", "0", "--no-report"]
    assert main(command(made / "data.npz", out, *more)) == 0
    assert f"from {run}:" in capsys.readouterr().out
    ours, theirs = load_file(out / "backbone.safetensors"), load_file(run / "backbone.safetensors")
    assert all(torch.allclose(ours[k], theirs[k], atol=1e-6) for k in theirs if k.endswith("weight"))
    # of a run that has not ended, what its checkpoint holds
    (run / "backbone.safetensors").unlink()
    assert main(command(made / "data.npz", tmp_path / "from-half", *more)) == 0
    (tmp_path / "empty").mkdir()
    assert main(command(made / "data.npz", tmp_path / "none", "--weights", str(tmp_path / "empty"))) == 2
    assert "holds no backbone.safetensors and no checkpoint" in capsys.readouterr().err


def test_a_damaged_checkpoint_gives_way_to_the_one_before(made, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = command(made / "data.npz", out, "--epochs", "2", "--save-every", "0", "--no-report")
    assert main(arguments) == 0
    straight = (out / "backbone.safetensors").read_bytes()
    (out / "checkpoints" / "last.ckpt").write_bytes(b"half")
    (out / "backbone.safetensors").unlink()
    capsys.readouterr()
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "last.ckpt is damaged" in said and "Going on from step " in said
    assert (out / "backbone.safetensors").read_bytes() == straight


def test_a_page_that_was_lost_is_made_by_the_same_command(made, run, capsys):
    (run / "report.html").unlink()
    before = {file: file.read_bytes() for file in run.iterdir() if file.suffix in (".safetensors", ".npz", ".csv")}
    assert again(made, run) == 0
    said = capsys.readouterr().out
    assert "This run is finished" in said and f"report: {run / 'report.html'}" in said
    assert (run / "report.html").is_file()
    assert {file: file.read_bytes() for file in before} == before
    assert again(made, run) == 0
    assert "report:" not in capsys.readouterr().out


def test_equal_runs_give_equal_bytes(made, tmp_path):
    for name in ("one", "two"):
        out = tmp_path / name
        assert main(command(made / "data.npz", out, "--epochs", "1", "--no-report", "--quiet")) == 0
        assert main(["embed", str(out), str(made / "data.npz"), "--quiet"]) == 0
        assert main(["export", str(out), "--format", "safetensors"]) == 0
    for name in ("backbone.safetensors", "data-embeddings.parquet", "backbone-safetensors.safetensors", "views.npz",
                 "gallery.npz", "evaluation.json"):  # fmt: skip
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert json.loads((tmp_path / "one" / "evaluation.json").read_text())
