"""A run on interactions goes on with a copy of its data elsewhere, and a page that was lost is made again."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

from twofold.cli import main
from twofold.interactions.jobs.store import read_model
from twofold.runs.results import read_results

SMALL = ["--method.dim", "4", "--batch-size", "16", "--patience", "0", "--epochs", "2"]


def pairs(path, first=0, shift=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("user,item\n" + "".join(f"u{u},i{(3 * u + k + shift) % 12}\n" for u in range(10) for k in range(5)))
    return path


def command(place, out, *more):
    data, val, test = (str(place / f"{name}.csv") for name in ("train", "val", "test"))
    return ["pretrain", "lightgcn", data, "--val", val, "--test", test, "--out", str(out), *SMALL, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "here"
    for shift, name in ((0, "train"), (5, "val"), (6, "test")):
        pairs(place / f"{name}.csv", shift=shift)
    assert main(command(place, place / "run")) == 0
    return place


def test_a_copy_in_another_place_goes_on(made, tmp_path, capsys):
    run = shutil.copytree(made / "run", tmp_path / "run")
    staged = shutil.copytree(made, tmp_path / "scratch", ignore=shutil.ignore_patterns("run"))
    assert main(command(staged, run, "--devices", "1")) == 0
    said = capsys.readouterr().out
    assert said.count("the content is the same, so the run goes on") == 3 and "This run is finished" in said
    assert yaml.safe_load((run / "config.yaml").read_text())["test"] == str(staged / "test.csv")
    pairs(staged / "test.csv", shift=7)
    assert main(command(staged, run)) == 2
    assert "has changed since the run" in capsys.readouterr().err


def test_a_page_that_was_lost_is_made_by_the_same_command(made, tmp_path, capsys):
    run = shutil.copytree(made / "run", tmp_path / "run")
    (run / "report.html").unlink()
    before = {file: file.read_bytes() for file in run.iterdir() if file.suffix in (".safetensors", ".parquet", ".csv")}
    assert main(command(made, run)) == 0
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in before} == before


def test_a_damaged_checkpoint_gives_way_to_the_one_before(made, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(command(made, out, "--save-every", "0", "--no-report")) == 0
    straight = (out / "model.safetensors").read_bytes()
    (out / "checkpoints" / "last.ckpt").write_bytes(b"half")
    (out / "samples.json").unlink()
    capsys.readouterr()
    assert main(command(made, out, "--save-every", "0", "--no-report")) == 0
    said = capsys.readouterr().out
    assert "last.ckpt is damaged" in said and "Going on from step" in said
    assert (out / "model.safetensors").read_bytes() == straight


def test_equal_runs_give_equal_bytes(made, tmp_path):
    for name in ("one", "two"):
        out = tmp_path / name / "run"
        assert main(command(made, out, "--no-report", "--quiet")) == 0
        for verb in (["embed", str(out), "items"], ["recommend", str(out), "--quiet"], ["similar", str(out), "i1"]):
            assert main(verb) == 0
    names = ("model.safetensors", "best.safetensors", "items-embeddings.parquet", "recommendations.parquet")
    for name in (*names, "similar.parquet", "pairs.parquet", "user_ids.parquet", "evaluation.json", "samples.json"):
        one, two = (tmp_path / which / "run" / name for which in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


@pytest.mark.parametrize("method", ["lightgcn", "sgl", "bpr-mf", "bpr-mf --method.lazy true"])
def test_more_epochs_go_on_to_the_bytes_of_a_run_of_that_length(made, tmp_path, method):
    for out, lengths in (("on", "24"), ("straight", "4")):
        for epochs in lengths:
            words = command(made, tmp_path / out / "run", "--no-report", "--quiet", "--epochs", epochs)
            assert main([words[0], *method.split(), *words[2:]]) == 0
    for name in ("model.safetensors", "best.safetensors", "best.json"):
        one, two = (tmp_path / which / "run" / name for which in ("on", "straight"))
        assert one.read_bytes() == two.read_bytes(), name
    stored = read_results(tmp_path / "on" / "run")
    assert {entry["conditions"]["epochs trained"] for entry in stored if not entry["floor"]} == {2, 4}
    assert json.loads((tmp_path / "on" / "run" / "outcome.json").read_text())["epochs"] == 4


def test_more_patience_goes_on_where_a_run_had_ended(made, tmp_path, capsys):
    def train(out, epochs, patience):
        words = ["--no-report", "--epochs", str(epochs), "--patience", str(patience), "--lr", "0.1"]
        assert main(command(made, tmp_path / out / "run", *words)) == 0
        return json.loads((tmp_path / out / "run" / "outcome.json").read_text())

    short = train("on", 200, 2)
    assert short["ended"] == "enough"
    assert train("on", 300, 2) == short and "Nothing more is gained" in capsys.readouterr().out
    longer = train("on", 300, 5)
    assert longer == train("straight", 300, 5) and longer["epochs"] > short["epochs"]
    for name in ("model.safetensors", "best.safetensors", "best.json"):
        one, two = (tmp_path / which / "run" / name for which in ("on", "straight"))
        assert one.read_bytes() == two.read_bytes(), name
    assert main(command(made, tmp_path / "on" / "run", "--epochs", "300", "--patience", "3", "--lr", "0.1")) == 2
    assert "patience was 5 and is now 3" in capsys.readouterr().err


def test_more_epochs_are_had_from_the_run_as_weights(made, tmp_path, capsys):
    run = shutil.copytree(made / "run", tmp_path / "run")
    grown = shutil.copytree(made, tmp_path / "grown", ignore=shutil.ignore_patterns("run"))
    (grown / "train.csv").write_text("user,item\nnew,i3\nnew,i4\n" + (grown / "train.csv").read_text()[10:])
    out, still = tmp_path / "longer", ["--lr", "1e-12", "--weight-decay", "0", "--no-report", "--steps", "1"]
    arguments = [word for word in command(grown, out, *still) if word not in ("--epochs", "2")]
    assert main([*arguments, "--weights", str(run)]) == 0
    assert "Tables of 10 of 11 users and 12 of 12 items start from" in capsys.readouterr().out
    before, after = read_model(run), read_model(out)
    ours, theirs = (load_file(folder / "model.safetensors")["user"] for folder in (out, run))
    rows = [after.user_ids.to_pylist().index(user) for user in before.user_ids.to_pylist()]
    assert torch.allclose(ours[rows], theirs, atol=1e-6)
    copied = shutil.copytree(run, tmp_path / "copied")
    assert main([*arguments, "--weights", str(copied)]) == 0
    assert "weights was" in capsys.readouterr().out
    other = ["--out", str(tmp_path / "other"), "--weights", str(run), "--method.dim", "8"]
    assert main([*arguments, *other]) == 2
    assert "give it the --method.dim of the run" in capsys.readouterr().err
    formula = ["pretrain", "popularity", str(made / "train.csv"), "--out", str(tmp_path / "formula"), "--quiet"]
    assert main(formula) == 0
    assert main([*formula, "--weights", str(run)]) == 2
    assert "popularity is not trained in steps: --weights means nothing for it" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path / "other"), "--weights", str(tmp_path / "formula")]) == 2
    assert "ranks without embeddings" in capsys.readouterr().err
