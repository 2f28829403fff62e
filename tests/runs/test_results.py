"""evaluation.json: two numbers that differ in anything that makes them different are kept both."""

from __future__ import annotations

import json

import pytest

from twofold.runs.results import add_results, read_results

HONEST = {
    "protocol": "linear", "metric": "top1", "name": "moco", "settings": "Adam", "seed": 0, "data": "test/",
    "value": 0.362, "floor": False, "conditions": {"learned from": "train/", "size": "32 px", "epochs trained": 9},
    "fingerprints": {"data": "t", "learned from": "l"},
}  # fmt: skip


def values(folder):
    return [row["value"] for row in read_results(folder)]


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprints": {"data": "t", "learned from": "t"}},
        {"conditions": {**HONEST["conditions"], "size": "64 px"}},
        {"conditions": {**HONEST["conditions"], "epochs trained": 10}},
        {"conditions": {**HONEST["conditions"], "precision": "bf16"}},
        {"fingerprints": {"data": "t2", "learned from": "l"}},
        {"seed": 1},
        {"settings": "SGD"},
        {"name": "byol"},
        {"conditions": None, "fingerprints": None},
    ],
    ids=["train data", "size", "epochs", "precision", "content", "seed", "settings", "name", "of 0.1.0"],
)  # fmt: skip
def test_another_number_replaces_nothing(tmp_path, change):
    add_results(tmp_path, [HONEST])
    add_results(tmp_path, [{**HONEST, **change, "value": 0.775}])
    assert values(tmp_path) == [0.362, 0.775]


def test_the_same_question_about_a_copy_elsewhere_takes_the_old_ones_place(tmp_path):
    add_results(tmp_path, [{**HONEST, "purpose": "compare"}])
    moved = {**HONEST["conditions"], "learned from": "/scratch/train"}
    add_results(tmp_path, [{**HONEST, "data": "/scratch/test", "conditions": moved, "value": 0.4}])
    (found,) = read_results(tmp_path)
    assert (found["value"], found["data"], found["purpose"]) == (0.4, "/scratch/test", "compare")


def test_entries_of_0_1_0_are_told_apart_as_before(tmp_path):
    old = {name: HONEST[name] for name in ("protocol", "metric", "name", "settings", "seed", "data", "value", "floor")}
    (tmp_path / "evaluation.json").write_text(json.dumps([old, {**old, "data": "other/"}]))
    add_results(tmp_path, [{**old, "value": 0.5}])
    assert values(tmp_path) == [0.5, 0.362]
