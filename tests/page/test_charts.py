"""Columns become the charts they should: of one run, and of several laid over one another."""

import math
from datetime import datetime
from pathlib import Path

from twofold.page.charts import charts_of_all, charts_of_one
from twofold.page.columns import LOSS, Column, Columns, spread
from twofold.page.read import Run
from twofold.page.sections import Numbered
from twofold.page.words import Noun

FRAME = Noun("frame", "frames")
SCORE = Column("score", "Score", "How well it does.", "percent", lines={"chance": 0.4})


def numbered(rows, index=0, name="run"):
    return Numbered(index, name, Run(Path(), name, {}, {}, rows, [], [], [], False, datetime.now()))


def test_charts_of_a_run():
    row = {"step": 1.0, "loss": 3.0, "loss/co2": 1.0, "loss/base": 2.0, "score": 0.5, "spread": 0.9, "age": 3.0}
    drawn = charts_of_one(numbered([row]), Columns([LOSS, SCORE, spread(FRAME)]), 1.0, "run0")
    charts = {chart.column: chart for chart in drawn.shown}
    assert list(charts) == ["loss", "score", "spread", "age"] and drawn.folded == []
    assert [curve["name"] for curve in charts["loss"].series] == ["total", "base", "co2"]
    assert charts["score"].lines == [{"y": 0.4, "label": "chance"}] and charts["score"].unit == "percent"
    assert charts["spread"].data()["warn"] == 0.3 and charts["spread"].lines[0]["y"] == 1
    assert charts["age"].id == "run0-age" and "warn" not in charts["age"].data()


def test_what_becomes_of_columns_that_nobody_named():
    rows = [{"step": 1.0, "loss": 1.0, "age": 3.0, "hidden": 1.0}]
    made = {others: charts_of_one(numbered(rows), Columns([LOSS], undrawn=frozenset({"hidden"}), others=others), 1, "x")
            for others in ("shown", "folded", "undrawn")}  # fmt: skip
    names = {others: ([c.column for c in m.shown], [c.column for c in m.folded]) for others, m in made.items()}
    assert names == {"shown": (["loss", "age"], []), "folded": (["loss"], ["age"]), "undrawn": (["loss"], [])}


def test_a_lone_term_is_not_drawn_twice():
    rows = [{"step": float(s), "loss": 3.0 - s, "loss/base": 3.0 - s} for s in range(3)]
    (chart,) = charts_of_one(numbered(rows), Columns([LOSS]), 1.0, "x").shown
    assert [curve["name"] for curve in chart.series] == ["total"] and chart.reading == "What is minimised."


def test_the_marked_epoch():
    rows = [{"step": 10.0 * e, "epoch": float(e), "score": e / 10, "best": min(e, 2)} for e in (1, 2, 3)]
    column = Column("score", "Score", "", mark="best")
    (chart,) = charts_of_one(numbered(rows, 4), Columns([column], undrawn=frozenset({"best"})), 1.0, "x").shown
    assert chart.series[0]["best"]["x"]["step"] == [20] and chart.series[0]["best"]["name"] == "epoch 2"
    assert chart.series[0]["colour"] == 4


def test_several_leave_out_runs_without_the_column():
    runs = [
        numbered([{"step": 1.0, "loss": 1.0, "score": 0.3}], 0, "a"),
        numbered([{"step": 1.0, "loss": math.nan}], 1, "b"),
        numbered([], 2, "c"),
    ]
    charts = {chart.column: chart for chart in charts_of_all(runs, Columns([LOSS, SCORE]), 1.0, "x")}
    assert [(curve["name"], curve["colour"]) for curve in charts["loss"].series] == [("a", 0), ("b", 1)]
    assert [curve["name"] for curve in charts["score"].series] == ["a"]
    assert "1 logged value was not a finite number" in charts["loss"].reading


def test_a_wing_says_what_its_curves_lie_along():
    """Where that was logged; the other axes stay to be chosen."""
    rows = [{"step": 1.0, "bites": 64.0, "loss": 3.0}, {"step": 2.0, "bites": 128.0, "loss": 2.0}]
    (chart,) = charts_of_one(numbered(rows), Columns([LOSS], along="bites", undrawn=frozenset({"bites"})), 1, "x").shown
    assert chart.data()["along"] == "bites" and chart.series[0]["x"] == {"step": [1, 2], "bites": [64, 128]}
    (other,) = charts_of_one(numbered([{"step": 1.0, "loss": 3.0}]), Columns([LOSS], along="bites"), 1, "x").shown
    assert "along" not in other.data() and other.series[0]["x"] == {"step": [1]}
