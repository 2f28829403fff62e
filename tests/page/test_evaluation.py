"""The table of what was measured."""

import json

from twofold.page import read_run
from twofold.page.evaluation import evaluation_rows

from ..images.report.runs import make_run

NBSP = "\u00a0"


def test_numbers_stand_beside_their_own_floors(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    nearest, linear = evaluation_rows(run)
    assert (nearest.protocol, nearest.metric, nearest.settings) == ("kNN", "top-1", "k 200")
    assert nearest.value.replace(NBSP, " ") == "98.3 %"
    assert [(f.name, f.gain.replace(NBSP, " "), f.good) for f in nearest.floors] == [
        ("pixels", "+9.5 points", True),
        ("random network", "+11.6 points", True),
    ]
    assert linear.floors == []


def test_two_results_of_one_protocol_say_whose_they_are(bare):
    run = bare(["step"])
    same = {"protocol": "linear", "metric": "top1", "data": "a", "value": 0.5}
    run.evaluation.extend([same | {"name": "moco", "settings": "seed 0"}, same | {"name": "byol"}])
    assert [row.settings for row in evaluation_rows(run)] == ["moco, seed 0", "byol"]


def test_errors_have_their_unit_and_are_better_where_they_are_lower(bare):
    run = bare(["step"])
    error = {"protocol": "correspondence", "metric": "median error px", "unit": "px", "lower_is_better": True}
    run.evaluation.extend(
        error | {"name": name, "value": value, "floor": name != "moco"}
        for name, value in (("moco", 0.75), ("raw pixels", 0.5), ("untrained network", 40.25))
    )
    (row,) = evaluation_rows(run)
    assert (row.value, row.bar) == ("0.75 px", None)
    assert [(floor.value, floor.gain, floor.good, floor.bar) for floor in row.floors] == [
        ("0.5 px", "+0.25", False, None),
        ("40.2 px", "-39.5", True, None),
    ]


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
    assert [row.value for row in evaluation_rows(read_run(folder))] == ["not measured", "412", "not measured"]
