"""Results of dense protocols as soon as they are known: a killed command goes on, another question is asked anew."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from tests.images.dense.tiny import coloured
from twofold.cli import main
from twofold.images.jobs import dense
from twofold.images.jobs.dense_protocols import PROTOCOLS

QUICK = "correspondence,retrieval-segmentation"


@pytest.fixture
def command(tmp_path):
    """evaluate over folders of 8 pictures and masks, results to rows.json."""
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    pictures, masks = coloured(8, ignored=0)
    for i, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "data" / "images" / f"{i}.png")
        Image.fromarray(mask.to(torch.uint8).numpy()).save(tmp_path / "data" / "masks" / f"{i}.png")
    network = ["random:convnet", str(tmp_path / "data"), "--image-size", "32", "--dense-size", "32"]
    return ["evaluate", *network, "--protocols", QUICK, "--out", str(tmp_path / "rows.json")]


@pytest.fixture
def asked(monkeypatch):
    """Which (protocol, side) were measured, and after how many the command is killed."""
    seen = {"measured": [], "killed after": None}

    def watched(name):
        measure = PROTOCOLS[name].measure

        def watch(side, on_progress):
            if len(seen["measured"]) == seen["killed after"]:
                raise SystemExit(143)
            seen["measured"].append((name, type(side.mapper).__name__))
            return measure(side, on_progress)

        return replace(PROTOCOLS[name], measure=watch)

    monkeypatch.setattr(dense, "PROTOCOLS", {name: watched(name) for name in PROTOCOLS})
    return seen


def rows(command):
    return json.loads(open(command[-1]).read())


def test_a_killed_command_goes_on_and_ends_with_the_same_numbers(command, asked, tmp_path, capsys):
    whole = [*command[:-1], str(tmp_path / "whole.json")]
    assert main(whole) == 0
    every = asked["measured"]
    assert len(every) == 6
    asked |= {"measured": [], "killed after": 3}
    with pytest.raises(SystemExit):
        main(command)
    assert asked["measured"] == every[:3] and not (tmp_path / "rows.json").exists()
    asked |= {"measured": [], "killed after": None}
    capsys.readouterr()
    assert main(command) == 0
    assert asked["measured"] == every[3:]
    assert rows(command) == rows(whole)
    printed = capsys.readouterr().out
    assert "correspondence, untrained (seed 0): acc@1cell" in printed and "known from before" in printed


def test_other_weights_settings_and_data_are_other_questions(command, asked, tmp_path):
    def measured(*more):
        asked["measured"] = []
        assert main([*command, "--no-floors", *more]) == 0
        return [name for name, _ in asked["measured"]]

    both = QUICK.split(",")
    assert measured() == both and measured() == []
    assert measured("--workers", "1", "--quiet") == []
    assert measured("--memory-cells", "20") == both and measured("--seed", "1") == both
    assert measured("--image-size", "48") == both  # other weights, too
    picture, mask = coloured(1, seed=5, ignored=0)
    Image.fromarray(picture[0].permute(1, 2, 0).numpy()).save(tmp_path / "data" / "images" / "8.png")
    Image.fromarray(mask[0].to(torch.uint8).numpy()).save(tmp_path / "data" / "masks" / "8.png")
    assert measured() == both


@pytest.mark.parametrize("damage", ["{", "[]", '{"numbers": {"mIoU": "1"}}'])
def test_a_damaged_file_is_measured_anew(command, asked, tmp_path, damage):
    command = ["retrieval-segmentation" if word == QUICK else word for word in command] + ["--no-floors"]
    assert main(command) == 0
    (file,) = (tmp_path / "rows.json.dense").glob("*.json")
    before, asked["measured"] = file.read_text(), []
    file.write_text(damage)
    assert main(command) == 0
    assert len(asked["measured"]) == 1 and file.read_text() == before
