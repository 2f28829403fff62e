"""A comparison as words and plots, and at the top of the page: numbers, failures, strangers' names."""

import html
import json
import re

import pytest

from twofold.images.report.sections import SECTIONS
from twofold.page import build
from twofold.page.comparison import comparison_view, differences, notes, table

from ..images.report.runs import make_run
from .browser import opened, with_script

EVIL = "<img src=x onerror=alert(1)>|<b>moco</b>"
COLUMNS = [
    {"key": "knn top1", "unit": "percent", "main": True, "digits": 1, "floored": True},
    {"key": "linear top5", "unit": "percent", "main": False, "digits": 1, "floored": True},
    {"key": "effective rank", "unit": "number", "main": True, "digits": 1, "floored": False},
]


def number(*values, half=0.0123, difference=None):
    by_seed = {str(seed): value for seed, value in enumerate(values)}
    return {"mean": sum(values) / len(values), "half": half, "values": by_seed, "difference": difference}


def row(name, kind, numbers, **more):
    return {"name": name, "kind": kind, "seeds": [0, 1], "failed": {}, "numbers": numbers} | more


@pytest.fixture
def comparison():
    behind = {"mean": -0.02, "half": 0.015}
    rows = [
        row("simclr", "method", {"knn top1": number(0.9, 0.94), "effective rank": number(20, 22, half=1.25)})
        | {"ms_per_step": 12.345, "minutes": 2.5},
        row(EVIL, "method", {"knn top1": number(0.9, difference=behind)}, seeds=[0])
        | {"failed": {"1": "The loss is not finite from step 3 on; no checkpoint had been saved yet: lower it."}},
        row("raw pixels", "floor", {"knn top1": number(0.7, 0.7, half=0.0)}),
        row("supervised", "ceiling", {"knn top1": number(0.97, 0.98)}),
    ]
    meanings = ["Floors: what raw pixels give.", "Supervised: with all labels."]
    about = {"about": f"990 images of {EVIL}", "seeds": [0, 1], "notes": meanings}
    return {**about, "columns": COLUMNS, "rows": rows}


def test_the_table_in_words(comparison):
    header, rows = table(comparison)
    assert header == ["", "seeds", "knn top1, %", "linear top5, %", "effective rank", "ms a step", "training", ""]
    assert [cell.replace("\u00a0", " ") for cell in rows[0]] == [
        "simclr", "2", "92.0 ± 1.2", "-", "21.0 ± 1.2", "12.3", "2 min 30 s", "",
    ]  # fmt: skip
    assert rows[1] == [EVIL, "1 of 2", "90.0 ± 1.2", "-", "-", "", "", "failed: The loss is not finite from step 3 on"]


def test_differences_of_the_main_numbers(comparison):
    header, rows = differences(comparison)
    assert header == ["minus simclr", "knn top1, %", "effective rank"]
    assert rows[0] == [EVIL, "-2.0 ± 1.5", "-"]
    assert [line[0] for line in rows] == [EVIL, "raw pixels", "supervised"]
    del comparison["rows"][1]
    assert differences(comparison)[1] == []


def test_notes_say_what_the_numbers_are(comparison):
    words = " ".join(notes(comparison))
    assert "2 seeds" in words and "raw pixels" in words and "Supervised" in words and "seed 1 failed: The loss" in words
    assert "Below a floor" not in words
    comparison["rows"][2]["numbers"]["knn top1"]["mean"] = 0.95
    assert f"too little was learned: simclr (knn top1); {EVIL} (knn top1)." in " ".join(notes(comparison))
    alone = comparison | {"seeds": [0], "notes": ["Compared without labels."], "rows": comparison["rows"][:1]}
    assert notes(alone) == [
        "One seed: there are no intervals, and a difference may be chance.",
        "Compared without labels.",
    ]


def test_plots_of_the_main_numbers(comparison):
    plots = comparison_view(comparison)["dots"]
    assert [plot["title"] for plot in plots] == ["knn top1", "effective rank"]
    assert plots[0]["rows"][0] == {
        "name": "simclr",
        "kind": "method",
        "mean": 92.0,
        "half": 1.23,
        "values": [90.0, 94.0],
    }
    assert [line["name"] for line in plots[1]["rows"]] == ["simclr"]


def test_the_page_shows_it_and_names_stay_text(comparison, tmp_path):
    runs = [make_run(tmp_path / name) for name in ("simclr-seed0", "simclr-seed1")]
    page = build(runs, tmp_path / "page.html", SECTIONS, comparison=comparison)
    assert "<h2>Its 2 runs</h2>" in page.read_text() and "<b>moco</b>" not in page.read_text()
    script = """
    const count = (what) => document.querySelectorAll(what).length;
    const told = { plots: count(".dots .main-svg") > 0, names: [] };
    told.made = count("img[src=x], [onerror], .dots svg a, b > b");
    document.querySelectorAll("[data-dots]").forEach((div) => told.names.push(
      [...div.querySelectorAll(".yaxislayer-above text, .ytick text")].map((text) => text.textContent)));
    told.bars = count(".dots .errorbar");
    told.cells = [...document.querySelectorAll(".compared td")].map((cell) => cell.textContent);
    told.wide = document.documentElement.scrollWidth <= window.innerWidth;
    document.documentElement.dataset.result = JSON.stringify(told);
    """
    document = opened(with_script(page, script, tmp_path / "copy.html"), tmp_path / "profile")
    root = html.unescape(re.search(r"<html[^>]*>", document)[0])
    assert "data-errors" not in root
    data = json.loads(re.search(r"data-result='?\"?(\{.*\})", root, re.S)[1])
    assert data["plots"] and data["made"] == 0 and data["wide"] and data["bars"] >= 5
    assert data["names"][0][0] == "simclr" and data["names"][0][1].startswith("<img src=x") and len(data["names"]) == 2
    assert "92.0 ± 1.2" in data["cells"] and "-2.0 ± 1.5" in data["cells"]


def test_one_run_has_its_comparison_too(comparison, tmp_path):
    page = build([make_run(tmp_path / "only")], tmp_path / "page.html", SECTIONS, comparison=comparison)
    assert page.read_text().count("<h1>") == 1 and 'class="compared"' in page.read_text()
