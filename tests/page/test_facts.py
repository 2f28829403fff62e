"""The words that the page puts to numbers."""

import json
import math

import pytest

from twofold.page import read_run
from twofold.page.facts import (
    against,
    collapse,
    duration,
    evaluation_rows,
    gain,
    knn,
    number,
    outcome,
    percent,
    points,
)

from .runs import make_run

NBSP = "\u00a0"


def test_units():
    assert [percent(v).replace(NBSP, " ") for v in (0.98349, 0, 1, math.nan)] == [
        "98.3 %",
        "0.0 %",
        "100.0 %",
        "not finite",
    ]
    assert points(0.0946).replace(NBSP, " ") == "+9.5 points" and points(-0.02).replace(NBSP, " ") == "−2.0 points"
    said = [duration(s).replace(NBSP, " ") for s in (0, 45.4, 150, 3725, 90000, math.inf, -1)]
    assert said == ["0 s", "45 s", "2 min 30 s", "1 h 02 min", "1 d 01 h", "unknown", "unknown"]
    assert [number(v) for v in (1234.6, 12.345, 0.04567, 0, math.nan)] == ["1,235", "12.3", "0.0457", "0", "not finite"]


@pytest.fixture
def bare(tmp_path):
    """bare(rows of a metrics.csv, file names that exist besides) -> the run."""

    def make(lines, *files):
        (tmp_path / "config.yaml").write_text("method: byol\nepochs: 50\n")
        (tmp_path / "metrics.csv").write_text("\n".join(lines))
        for name in files:
            (tmp_path / name).write_bytes(b"")
        return read_run(tmp_path)

    return make


@pytest.mark.parametrize(
    ("spread", "rank", "level", "word"),
    [
        ("0.95", "60", "good", "healthy"),
        ("0.95", "", "good", "healthy"),
        ("0.2", "60", "warn", "crowded"),
        ("0.02", "60", "bad", "collapsed"),
        ("0.9", "1.3", "bad", "collapsed"),
        ("0.9", "3.3", "warn", "thin"),
        ("nan", "60", "bad", "broken"),
        ("", "", "unknown", "not watched"),
    ],
)
def test_collapse(bare, spread, rank, level, word):
    verdict = collapse(bare(["step,spread,effective_rank", f"1,{spread},{rank}", "2,,"]))
    assert (verdict.level, verdict.word) == (level, word) and verdict.text.endswith(".")


def test_outcome(bare):
    assert outcome(bare(["step,loss"])).word == "no steps"
    stopped = outcome(bare(["step,epoch,loss", "1200,12.5,3"]))
    assert stopped.word == "stopped" and "step 1,200, epoch 12.5 of 50 epochs" in stopped.text
    assert outcome(bare(["step,loss", "9,nan"])).word == "diverged"
    assert outcome(bare(["step,loss", "9,1"], "backbone.safetensors")).word == "finished"


def test_numbers_stand_beside_their_own_floors(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    nearest, linear = evaluation_rows(run)
    assert (nearest["protocol"], nearest["metric"], nearest["settings"]) == ("kNN", "top-1", "k 200")
    assert nearest["value"].replace(NBSP, " ") == "98.3 %"
    assert [(f["name"], f["gain"].replace(NBSP, " "), f["good"]) for f in nearest["floors"]] == [
        ("pixels", "+9.5 points", True),
        ("random network", "+11.6 points", True),
    ]
    assert linear["floors"] == []
    assert knn(run) == (0.983, {"pixels": 0.888, "random network": 0.867})


def test_knn_keeps_to_one_data_set(bare):
    def entry(value, data, name="moco", floor=False):
        return {"protocol": "knn", "metric": "top1", "value": value, "data": data, "name": name, "floor": floor}

    run = bare(["step,knn", "1,0.5", "2,0.6", "3,"])
    assert knn(run) == (0.6, {})
    run.evaluation.extend(
        [entry(0.61, "a"), entry(0.3, "a", "pixels", True), entry(0.7, "b"), entry(0.4, "b", "x", True)]
    )
    assert knn(run, online=True) == (0.6, {"pixels": 0.3})
    assert knn(run) == (0.7, {"x": 0.4})


def test_gain_over_the_floors(bare):
    run = bare(["step"])
    same = {"protocol": "knn", "metric": "top1", "data": "a"}
    run.evaluation.append(same | {"name": "moco", "value": 0.9})
    assert gain(run) is None
    run.evaluation.append(same | {"name": "pixels", "value": 0.85, "floor": True})
    assert gain(run) is None
    run.evaluation.append(same | {"name": "random network", "value": 0.92, "floor": True})
    assert "does not beat random network (90.0 % against 92.0 %)" in gain(run).text.replace(NBSP, " ")
    assert against(0.9, "x", 0.92).replace(NBSP, " ") == "2.0 points below x"
    assert against(0.9, "x", 0.85).replace(NBSP, " ") == "5.0 points over x"


def test_two_results_of_one_protocol_say_whose_they_are(bare):
    run = bare(["step"])
    same = {"protocol": "linear", "metric": "top1", "data": "a", "value": 0.5}
    run.evaluation.extend([same | {"name": "moco", "settings": "seed 0"}, same | {"name": "byol"}])
    assert [row["settings"] for row in evaluation_rows(run)] == ["moco, seed 0", "byol"]


def test_odd_entries(tmp_path):
    folder = make_run(tmp_path / "run")
    odd = [
        1,
        {"value": None},
        {"protocol": "returns", "value": 412.5, "settings": "x"},
        {"floor": True},
        {"value": True},
    ]
    (folder / "evaluation.json").write_text(json.dumps(odd))
    assert [row["value"] for row in evaluation_rows(read_run(folder))] == ["not measured", "412", "not measured"]
