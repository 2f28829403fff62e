"""`compare` on real files: the table, going on after a kill, what is added later, what is refused, what fails."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from twofold.cli import main
from twofold.evaluation.intervals import mean_interval
from twofold.images.jobs.model import open_model

SMALL = ["--backbone", "convnet", "--image-size", "16", "--batch-size", "8", "--steps", "4", "--protocols", "knn"]
QUICK = [*SMALL, "--no-supervised", "--no-report"]
BOTH = ["compare", "simclr,moco"]


def draw(folder: Path, count: int, channel: int) -> None:
    """Noise in which one channel is brighter."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(channel)
    for i in range(count):
        pixels = drawn.integers(0, 150, (20, 20, 3), np.uint8)
        pixels[..., channel] += 60
        Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw(folder / "red", 16, 0)
    draw(folder / "blue", 16, 2)
    return folder


@pytest.fixture(scope="module")
def compared(photos, tmp_path_factory):
    """Two methods with two seeds, finished."""
    out = tmp_path_factory.mktemp("runs") / "both"
    assert main([*BOTH, str(photos), "--out", str(out), "--seeds", "2", *SMALL]) == 0
    return out


def result_of(out: Path) -> dict:
    return json.loads((out / "compare.json").read_text())


def numbers_of(out: Path) -> dict:
    """What must not depend on how often the command was stopped."""
    return {row["name"]: row["numbers"] for row in result_of(out)["rows"]}


def stamps(out: Path) -> dict:
    kept = [f for name in ("backbone.safetensors", "evaluation.json", "supervised-*.json") for f in out.rglob(name)]
    return {str(file): file.stat().st_mtime_ns for file in kept}


def test_the_table_holds_every_method_floor_and_ceiling(compared):
    result = result_of(compared)
    kinds = {row["name"]: row["kind"] for row in result["rows"]}
    assert list(kinds.items()) == [
        ("simclr", "method"), ("moco", "method"),
        ("raw pixels", "floor"), ("untrained network", "floor"), ("majority class", "floor"),
        ("supervised", "ceiling"),
    ]  # fmt: skip
    assert [column["key"] for column in result["columns"]] == ["knn top1", "instance retrieval", "effective rank"]
    assert all(row["seeds"] == [0, 1] and not row["failed"] for row in result["rows"])
    for name in ("simclr", "moco"):
        measured = {}
        for seed in (0, 1):
            entries = json.loads((compared / f"{name}-seed{seed}" / "evaluation.json").read_text())
            entries = [e for e in entries if e.get("purpose") == "compare"]  # beside the training's own check
            own = [e["value"] for e in entries if e["protocol"] == "knn" and not e["floor"]]
            assert len(own) == 1 and len(entries) == 8
            measured[str(seed)] = own[0]
        number = numbers_of(compared)[name]["knn top1"]
        assert number["values"] == measured
        assert (number["mean"], number["half"]) == mean_interval(list(measured.values()))
    supervised = [json.loads((compared / f"supervised-seed{seed}.json").read_text()) for seed in (0, 1)]
    assert [one["epochs"] for one in supervised] == [1, 1]
    ceiling = numbers_of(compared)["supervised"]["knn top1"]["values"]
    assert list(ceiling.values()) == [one["top1"] for one in supervised]


def test_differences_are_taken_seed_by_seed(compared):
    rows = numbers_of(compared)
    for key in ("knn top1", "effective rank"):
        first, other = rows["simclr"][key]["values"], rows["moco"][key]["values"]
        mean, half = mean_interval([other[seed] - first[seed] for seed in ("0", "1")])
        assert rows["moco"][key]["difference"] == {"mean": mean, "half": half}
        assert "difference" not in rows["simclr"][key]


def test_each_seed_has_its_own_untrained_network(compared):
    ranks = numbers_of(compared)["untrained network"]["effective rank"]["values"]
    assert ranks["0"] != ranks["1"]


def test_files_say_what_was_made_with_what(compared):
    text = (compared / "compare.md").read_text()
    assert "| simclr | 2 |" in text and "| minus simclr |" in text and "- command: " in text and "torch 2" in text
    stored = yaml.safe_load((compared / "compare.yaml").read_text())
    assert stored["methods"] == ["simclr", "moco"] and stored["seeds"] == [0, 1]
    assert stored["settings"]["steps"] == 4 and stored["settings"]["epochs"] is None
    page = (compared / "report.html").read_text()
    assert "<h1>simclr, moco</h1>" in page and "untrained network" in page


def test_a_run_is_the_one_that_pretrain_makes(compared, tmp_path):
    config = compared / "moco-seed1" / "config.yaml"
    assert main(["pretrain", "--config", str(config), "--out", str(tmp_path / "alone")]) == 0
    one, other = (open_model(str(f)).backbone.state_dict() for f in (compared / "moco-seed1", tmp_path / "alone"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_what_is_finished_is_left_alone_and_what_is_new_is_added(compared, photos, capsys):
    command = [str(photos), "--out", str(compared), *SMALL]
    before = stamps(compared)
    assert len(before) == 10
    assert main([*BOTH, *command, "--seeds", "2", "--no-report"]) == 0
    assert "6 of 6 runs were finished before." in capsys.readouterr().out
    assert stamps(compared) == before

    numbers = numbers_of(compared)
    assert main(["compare", "moco,simsiam", *command, "--seeds", "1", "--first-seed", "1", "--no-report"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 3 runs were finished before." in printed and "run 3 of 3: simsiam, seed 1" in printed
    assert "One seed: there are no intervals" in printed and "minus moco" in printed
    assert {name: stamp for name, stamp in stamps(compared).items() if name in before} == before
    stored = yaml.safe_load((compared / "compare.yaml").read_text())
    assert stored["methods"] == ["simclr", "moco", "simsiam"] and stored["seeds"] == [0, 1]

    assert main([*BOTH, *command[:-1], "knn,5nn", "--seeds", "2", "--no-report", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith(" ")
    assert [column["key"] for column in result_of(compared)["columns"]][:2] == ["knn top1", "5nn top1"]
    assert numbers_of(compared)["moco"]["knn top1"] == numbers["moco"]["knn top1"]


def test_other_settings_and_other_data_are_refused(compared, photos, capsys):
    command = [*BOTH, str(photos), "--out", str(compared), "--seeds", "2", *SMALL]
    assert main([*command, "--steps", "5"]) == 2
    assert "steps was 4 and is now 5" in capsys.readouterr().err
    Image.new("RGB", (20, 20)).save(photos / "red" / "new.png")
    try:
        assert main(command) == 2
    finally:
        (photos / "red" / "new.png").unlink()
    assert "The data has changed since the comparison" in capsys.readouterr().err


def compare(*words):
    """What a process does."""
    torch.set_num_threads(1)
    main(list(words))


def test_a_killed_comparison_ends_in_the_same_table(compared, photos, tmp_path, processes):
    out = tmp_path / "killed"
    command = [*BOTH, str(photos), "--out", str(out), "--seeds", "2", *SMALL, "--no-report"]
    child = processes.Process(target=compare, args=command)
    child.start()
    try:
        until = time.monotonic() + 60
        while not (out / "moco-seed0" / "metrics.csv").exists():
            assert child.is_alive() and time.monotonic() < until
            time.sleep(0.005)
    finally:
        child.kill()
        child.join()
    first = (out / "simclr-seed0" / "backbone.safetensors").stat().st_mtime_ns
    assert not (out / "compare.json").exists()
    assert main(command) == 0
    assert (out / "simclr-seed0" / "backbone.safetensors").stat().st_mtime_ns == first
    again = main([*BOTH, str(photos), "--out", str(compared), "--seeds", "2", *SMALL, "--no-report"])
    assert again == 0 and numbers_of(out) == numbers_of(compared)


def test_a_budget_in_minutes_becomes_steps_once(photos, tmp_path, capsys):
    out = tmp_path / "timed"
    at = SMALL.index("--steps")
    rest = [*SMALL[:at], *SMALL[at + 2 :], "--no-supervised", "--no-report", "--minutes", "0.002", "--seeds", "1"]
    assert main(["compare", "simclr", str(photos), "--out", str(out), *rest]) == 0
    assert "ms a step, so 0.002 minutes are" in capsys.readouterr().out
    steps = yaml.safe_load((out / "compare.yaml").read_text())["steps"]["simclr"]
    assert yaml.safe_load((out / "simclr-seed0" / "config.yaml").read_text())["steps"] == steps >= 1
    assert not (out / ".timing").exists()
    assert main(["compare", "simclr", str(photos), "--out", str(out), *rest]) == 0
    assert "ms a step, so" not in capsys.readouterr().out
    assert yaml.safe_load((out / "compare.yaml").read_text())["steps"]["simclr"] == steps


def test_without_labels_there_is_still_a_table(tmp_path, capsys):
    draw(tmp_path / "flat", 16, 1)
    out = tmp_path / "out"
    command = ["compare", "simclr,moco[temperature=0.3]", str(tmp_path / "flat"), "--out", str(out), "--seeds", "1"]
    assert main([*command, *QUICK]) == 0
    assert "Compared without labels" in capsys.readouterr().out
    result = result_of(out)
    assert [column["key"] for column in result["columns"]] == ["instance retrieval", "effective rank"]
    assert [row["name"] for row in result["rows"]] == ["simclr", "moco[temperature=0.3]", "untrained network"]
    config = yaml.safe_load((out / "moco_temperature=0.3-seed0" / "config.yaml").read_text())
    assert config["method_options"]["moco.temperature"] == 0.3
    assert main([*command, *QUICK, "--test", str(tmp_path / "flat")]) == 2
    assert "has no labels to learn from" in capsys.readouterr().err


BROKEN = '''
import torch
from twofold.methods.addition import Addition
from twofold.seam import Term
class Broken(Addition):
    """Breaks. how: nan or error."""
    def __init__(self, *, how: str = "nan"):
        super().__init__()
        self.how = how
    def terms(self, record):
        if self.how == "error":
            raise RuntimeError("so it is")
        return {"broken": Term(1.0, record.student[0].row.mean() * torch.nan)}
'''


def test_one_method_fails_and_the_others_go_on(photos, tmp_path, monkeypatch, capsys):
    (tmp_path / "breaking_ideas.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    out, name = tmp_path / "out", "simclr+breaking_ideas.Broken"
    methods = f"{name},{name}[how=error],simclr"
    assert main(["compare", methods, str(photos), "--out", str(out), "--seeds", "1", *QUICK]) == 2
    printed, error = capsys.readouterr()
    assert f"{name}, seed 0 failed: The loss is not finite from step 1 on" in printed
    assert "failed: RuntimeError" in printed and "so it is" in (out / "errors.txt").read_text()
    assert error.count("\n") == 1 and "2 of 3 runs failed" in error
    rows = {row["name"]: row for row in result_of(out)["rows"]}
    assert rows["simclr"]["numbers"]["knn top1"]["mean"] > 0
    assert rows["simclr"]["numbers"]["knn top1"]["difference"] is None
    assert rows[name]["seeds"] == [] and "not finite" in rows[name]["failed"]["0"]


@pytest.mark.parametrize(
    ("methods", "more", "message"),
    [
        ("simclr,mocco", [], 'Did you mean "moco"'),
        (" , ", [], "at least one method"),
        ("moco,simclr,moco", [], "comes twice"),
        ("moco[temperature=0.2],moco[temperature=0.20]", [], "comes twice"),
        ("moco[temprature=0.2]", [], 'Did you mean "temperature"'),
        ("moco[temperature=warm]", [], "takes a number"),
        ("moco[temperature]", [], "needs a name and a value"),
        ("moco[temperature=0.1", [], "settings stand in brackets"),
        ("moco", ["--recipe-of", "simcl"], 'Did you mean "simclr"'),
        ("moco", ["--seeds", "0"], "--seeds must be at least 1"),
        ("moco", ["--minutes", "0"], "--minutes must be above 0"),
        ("moco", ["--epochs", "2"], "Give --epochs or --steps, not both"),
        ("moco", ["--minutes", "2"], "Give --steps or --minutes, not both"),
        ("moco", ["--protocols", "kn"], 'Did you mean "knn"'),
        ("moco", ["--batch-size", "64"], "at most 32"),
        ("moco", ["--backbone", "convnot"], 'Did you mean "convnet"'),
        ("moco", ["--method.temperature", "3"], "belongs to pretrain and check, not to compare"),
        ("moco", ["--test", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(photos, tmp_path, capsys, methods, more, message):
    code = main(["compare", methods, str(photos), "--out", str(tmp_path / "out"), *SMALL, *more])
    error = capsys.readouterr().err
    assert code == 2 and error.startswith("twofold: ") and error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


def test_missing_data_one_class_and_a_foreign_folder(photos, tmp_path, capsys):
    assert main(["compare", "moco", str(tmp_path / "nowhere"), *SMALL]) == 2
    assert "nowhere" in capsys.readouterr().err
    np.savez(tmp_path / "one.npz", images=np.zeros((16, 20, 20, 3), np.uint8), labels=np.zeros(16, int))
    assert main(["compare", "moco", str(tmp_path / "one.npz"), "--out", str(tmp_path / "out"), *SMALL]) == 2
    assert "one class only" in capsys.readouterr().err
    assert main(["compare", "moco", str(photos), "--out", str(tmp_path), *SMALL]) == 2
    assert "holds no comparison" in capsys.readouterr().err


def test_ctrl_c_leaves_with_its_code_and_says_how_to_go_on(photos, tmp_path, monkeypatch, capsys):
    from twofold.images.jobs import pretrain

    def stopped(*_, **__):
        raise SystemExit(130)

    command = ["compare", "simclr", str(photos), "--out", str(tmp_path / "out"), "--seeds", "1", *QUICK]
    with monkeypatch.context() as during:
        during.setattr(pretrain, "run", stopped)
        with pytest.raises(SystemExit) as left:
            main(command)
    assert left.value.code == 130 and "the same command goes on" in capsys.readouterr().out
    assert main(command) == 0
