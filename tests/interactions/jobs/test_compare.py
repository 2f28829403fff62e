"""`compare` on interactions: one split, methods and seeds, floors, going on after a kill, what is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from twofold.cli import main
from twofold.evaluation.intervals import mean_interval

QUICK = ["--epochs", "2", "--batch-size", "64", "--no-report"]


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    file = tmp_path_factory.mktemp("plays") / "plays.csv"
    drawn = np.random.default_rng(0)
    pairs = sorted({(drawn.integers(30), drawn.integers(40)) for _ in range(500)})
    file.write_text("\n".join(["user,item", *(f"u{u},i{i}" for u, i in pairs)]) + "\n")
    return file


@pytest.fixture(scope="module")
def compared(plays, tmp_path_factory):
    """Two methods and a formula with two seeds, finished."""
    out = tmp_path_factory.mktemp("runs") / "all"
    assert main(["compare", "lightgcn,bpr-mf,item-knn", str(plays), "--out", str(out), "--seeds", "2", *QUICK]) == 0
    return out


def rows_of(out: Path) -> dict:
    return {row["name"]: row for row in json.loads((out / "compare.json").read_text())["rows"]}


def test_the_table_holds_methods_and_floors_by_seed(compared):
    rows = rows_of(compared)
    assert {name: row["kind"] for name, row in rows.items()} == {
        "lightgcn": "method", "bpr-mf": "method", "item-knn": "method", "popularity": "floor", "graph filter": "floor",
    }  # fmt: skip
    columns = json.loads((compared / "compare.json").read_text())["columns"]
    assert [c["key"] for c in columns if c["main"]] == ["recall@20", "ndcg@20"] and len(columns) == 4
    for name in ("lightgcn", "bpr-mf", "item-knn"):
        values = {}
        for seed in (0, 1):
            entries = json.loads((compared / f"{name}-seed{seed}" / "evaluation.json").read_text())
            asked = ("ranking", "recall@20", False)
            (values[str(seed)],) = (e["value"] for e in entries if (e["protocol"], e["metric"], e["floor"]) == asked)
        number = rows[name]["numbers"]["recall@20"]
        assert number["values"] == values and (number["mean"], number["half"]) == mean_interval(list(values.values()))
    first, other = (rows[name]["numbers"]["ndcg@20"]["values"] for name in ("lightgcn", "bpr-mf"))
    mean, half = mean_interval([other[seed] - first[seed] for seed in first])
    assert rows["bpr-mf"]["numbers"]["ndcg@20"]["difference"] == {"mean": mean, "half": half}
    assert rows["item-knn"]["ms_per_step"] is None and rows["lightgcn"]["ms_per_step"] > 0


def test_a_floor_that_is_compared_stands_there_once(plays, tmp_path):
    command = ["compare", "bpr-mf,popularity,graph-filter", str(plays), "--out", str(tmp_path), "--seeds", "1"]
    assert main([*command, *QUICK]) == 0
    names = [(row["name"], row["kind"]) for row in json.loads((tmp_path / "compare.json").read_text())["rows"]]
    assert names == [("bpr-mf", "method"), ("popularity", "method"), ("graph-filter", "method")]
    assert "popularity (" not in (tmp_path / "compare.md").read_text()


def test_all_runs_have_one_split_and_seeds_of_their_own(compared):
    prints, seeds = set(), set()
    for folder in compared.glob("*-seed*"):
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["split_seed"] == 0 and config["kind"] == "interactions"
        seeds.add(config["seed"])
        prints.add(json.loads((folder / "environment.json").read_text())["fingerprint"])
    assert len(prints) == 1 and seeds == {0, 1}
    assert rows_of(compared)["item-knn"]["numbers"]["recall@20"]["half"] == 0


def compare(*words):
    """What a process does."""
    torch.set_num_threads(1)
    main(list(words))


def test_a_killed_comparison_ends_in_the_same_table(compared, plays, tmp_path, processes):
    out = tmp_path / "killed"
    command = ["compare", "lightgcn,bpr-mf,item-knn", str(plays), "--out", str(out), "--seeds", "2", *QUICK]
    child = processes.Process(target=compare, args=command)
    child.start()
    deadline = time.monotonic() + 120
    while not (out / "bpr-mf-seed0" / "config.yaml").exists() and child.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.join()
    assert not (out / "compare.json").exists()
    assert main(command) == 0
    numbers = [{name: row["numbers"] for name, row in rows_of(folder).items()} for folder in (compared, out)]
    assert numbers[0] == numbers[1]


def test_more_seeds_and_methods_do_only_what_is_missing(plays, tmp_path, capsys):
    command = ["compare", "bpr-mf", str(plays), "--out", str(tmp_path / "out"), *QUICK, "--quiet"]
    assert main([*command, "--seeds", "1"]) == 0
    before = (tmp_path / "out" / "bpr-mf-seed0" / "model.safetensors").stat().st_mtime_ns
    command[1] = "bpr-mf,popularity"
    assert main([*command, "--seeds", "2"]) == 0
    assert (tmp_path / "out" / "bpr-mf-seed0" / "model.safetensors").stat().st_mtime_ns == before
    assert rows_of(tmp_path / "out")["popularity"]["seeds"] == [0, 1]
    assert main([*command, "--seeds", "2", "--core", "2"]) == 2
    assert "core was 0 and is now 2" in capsys.readouterr().err


def test_a_budget_in_minutes_leaves_formulas_alone(plays, tmp_path, capsys):
    out = tmp_path / "timed"
    command = ["compare", "bpr-mf,item-knn", str(plays), "--out", str(out), "--minutes", "0.001", "--seeds", "1"]
    assert main([*command, "--batch-size", "64", "--no-report"]) == 0
    assert "bpr-mf: " in capsys.readouterr().out
    assert list(yaml.safe_load((out / "compare.yaml").read_text())["steps"]) == ["bpr-mf"]


def test_the_recipe_of_another_is_for_what_is_trained(plays, tmp_path):
    command = ["compare", "sgl,item-knn", str(plays), "--out", str(tmp_path), "--seeds", "1", "--recipe-of", "lightgcn"]
    assert main([*command, *QUICK]) == 0
    assert rows_of(tmp_path)["item-knn"]["seeds"] == [0]


@pytest.mark.parametrize(
    ("methods", "more", "message"),
    [
        ("lightgcn,moco", [], "moco learns from images or videos, not from interactions"),
        ("lightgcn", ["--split", "none"], "has no test part to compare on"),
        (
            "lightgcn",
            ["--protocols", "knn"],
            "--protocols belongs to images and videos, and lightgcn",
        ),
        ("lightgcn[dim=0]", [], "dim must be a number above 0"),
        ("lightgcn", ["--recipe", "ifashion"], "lightgcn has no recipe ifashion"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(plays, tmp_path, capsys, methods, more, message):
    assert main(["compare", methods, str(plays), "--out", str(tmp_path / "out"), "--seeds", "1", *QUICK, *more]) == 2
    assert message in capsys.readouterr().err
