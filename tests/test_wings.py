"""A kind of data is a folder and one line: a toy wing, put in by that line, gets all that the house gives a wing."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import torch
import yaml

import twofold
from twofold import wings
from twofold.cli import main
from twofold.errors import UserError
from twofold.runs.metrics import MetricsFile

from .toy import data
from .toy.options import Pretrain
from .toy.wing import WING


@pytest.fixture(autouse=True)
def with_the_toy(monkeypatch):
    """The one line."""
    monkeypatch.setattr(wings, "WINGS", (*wings.WINGS, WING))


@pytest.fixture
def numbers(tmp_path):
    rows = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    file = tmp_path / "made-up.nums"
    file.write_text("\n".join(" ".join(f"{x:.4f}" for x in row) for row in rows.tolist()) + "\n")
    return str(file)


def test_it_has_help(capsys):
    assert main(["pretrain", "--help"]) == 0
    assert "for numbers (twofold pretrain restore --help shows further options)" in capsys.readouterr().out
    assert main(["pretrain", "restore", "--help"]) == 0
    shown = capsys.readouterr().out.split("examples:")[0]
    assert "--scale none|unit" in shown and "Width in the middle." in shown and "--image-size" not in shown
    assert main(["pretrain", "simclr", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--scale none|unit" in shown and "--image-size" in shown and "default for numbers;" in shown
    assert main(["compare", "restore", "--help"]) == 2
    assert (
        "compare is for images and videos and interactions and control, and restore learns from numbers."
        in capsys.readouterr().err
    )
    assert main(["methods", "restore"]) == 0
    assert "made up" in capsys.readouterr().out and "restore" in {m.name for m in twofold.list_methods()}


def test_a_look_at_the_data_decides_where_a_method_learns(numbers, tmp_path, monkeypatch):
    assert wings.of_method(wings.composed("simclr"), numbers) is WING
    assert wings.of_method(wings.composed("simclr"), "photos/").kind == "images"
    assert wings.of_method(wings.composed("simclr"), "photos/", "numbers") is WING
    assert wings.of_data(numbers) is WING and wings.of_data("plays.csv").kind == "interactions"
    assert [wing.kind for wing in wings.WINGS if wing.recognises("train-images-idx3-ubyte.gz")] == ["images"]
    with pytest.raises(UserError, match=r"simclr learns from images or .*numbers, not from interactions"):
        wings.of_method(wings.composed("simclr"), numbers, "interactions")


def test_folders_of_parts_are_recognised_in_any_case(tmp_path):
    for name in ("a/TRAIN.csv", "a/Test.csv", "b/data/train.tsv", "c/data/train.csv", "c/data/train/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    takes = {
        folder: [wing.kind for wing in wings.WINGS if wing.recognises(str(tmp_path / folder))]
        for folder in ("a", "b", "c")
    }
    assert takes == {"a": ["interactions"], "b": ["images", "interactions"], "c": ["images"]}


def test_data_that_two_wings_would_take_needs_a_word(monkeypatch):
    monkeypatch.setattr(wings, "WINGS", (*wings.WINGS[:-1], replace(WING, recognises=lambda data: True)))
    with pytest.raises(UserError, match=r"photos/ may be images or numbers: say which by --kind\."):
        wings.of_method(wings.composed("simclr"), "photos/")
    monkeypatch.setattr(wings, "WINGS", tuple(replace(w, recognises=lambda data: False) for w in wings.WINGS))
    with pytest.raises(UserError, match=r"photos/ looks like none of images, .*numbers: say which by --kind\."):
        wings.of_method(wings.composed("simclr"), "photos/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["pretrain", "restore", "x.nums", "--image-size", "32"],
            "--image-size belongs to images and videos, and",
        ),
        (["pretrain", "moco", "photos", "--scale", "unit"], "--scale belongs to numbers, and moco learns from images"),
        (["pretrain", "restore", "x.nums", "--noise", "0"], "--noise must be above 0"),
        (["pretrain", "restore", "x.nums", "--scale", "uni"], "--scale takes one of none, unit, not 'uni'"),
        (["pretrain", "restore", "x.nums", "--method.hiden", "3"], 'Did you mean "hidden"'),
        (["pretrain", "restore", "x.nums"], "x.nums holds no rows of numbers"),
        (
            ["check", "x.nums"],
            "check is for images and videos and interactions and control, and restore learns from numbers",
        ),
        (["pretrain", "restore+co2", "x.nums"], "restore learns from numbers and takes no additions"),
    ],
)
def test_what_it_cannot_do_is_refused(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def killed_at_the_seventh_step(*words):
    """What a process does."""
    torch.set_num_threads(1)
    stream = data.Numbers.stream

    def cut(self, batches, epochs=()):
        for step, batch in enumerate(stream(self, batches, epochs)):
            if step == 7:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    wings.WINGS, data.Numbers.stream = (*wings.WINGS, WING), cut
    main(list(words))


@pytest.mark.parametrize("method", ["restore", "simclr"])
def test_a_run_goes_on_where_it_stopped_and_has_a_page(method, numbers, tmp_path, capsys, processes):
    pytest.importorskip("plotly")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    twofold.pretrain(method, numbers, Pretrain(out=str(whole), epochs=4, quiet=True))
    config = yaml.safe_load((whole / "config.yaml").read_text())
    assert (config["kind"], config["method"], config["batch_size"], config["noise"]) == ("numbers", method, 8, 0.1)

    words = ["pretrain", method, numbers, "--out", str(broken), "--epochs", "4", "--save-every", "0", "--quiet"]
    stopped = processes.Process(target=killed_at_the_seventh_step, args=words)
    stopped.start()
    stopped.join(timeout=60)
    assert stopped.exitcode == -signal.SIGKILL
    assert main(["pretrain", method, numbers, "--out", str(broken), "--epochs", "4", "--save-every", "0"]) == 0
    assert "Going on from step" in capsys.readouterr().out
    assert (whole / "model.safetensors").read_bytes() == (broken / "model.safetensors").read_bytes()
    rows = [MetricsFile(folder / "metrics.csv") for folder in (whole, broken)]
    assert [len((f.path).read_text().splitlines()) for f in rows] == [21, 21]

    page = (broken / "report.html").read_text()
    assert "These numbers were made up." in page and "40 rows" in page
    assert main(["report", str(whole), str(broken), "--out", str(tmp_path / "both.html")]) == 0
    assert "Last loss" in (tmp_path / "both.html").read_text()
    assert main(["pretrain", method, numbers, "--out", str(broken), "--epochs", "4", "--noise", "0.2"]) == 2
    assert "noise was 0.1 and is now 0.2" in capsys.readouterr().err


def test_methods_that_are_compared_learn_from_what_all_of_them_can(tmp_path):
    compositions = [wings.composed(name) for name in ("moco", "be")]
    assert wings.of_methods(compositions, "clips/").kind == "videos"
    assert wings.of_methods(compositions[:1], str(tmp_path), "images").kind == "images"
