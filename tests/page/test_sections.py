"""A wing of its own gives sections, template, style and script to the page, alone and beside other wings."""

import re

import pytest

from twofold.images.report.sections import SECTIONS as IMAGES
from twofold.interactions.report.sections import SECTIONS as INTERACTIONS
from twofold.page import build

from ..images.report.runs import make_run
from ..interactions.report.ranked_runs import make_ranked_run
from .browser import opened
from .seen import EVIL, Seen, data_of
from .toy import SECTIONS, make_walk


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return make_walk(tmp_path_factory.mktemp("runs") / "up")


def test_one_run(walk, tmp_path):
    page = build([walk], tmp_path / "page.html", SECTIONS)
    seen, data = Seen(page), data_of(page)
    assert [a["href"] for tag, a in seen.tags if tag == "a"] == ["#curves0", "#evaluation0", "#walk0", "#settings0"]
    assert {"curves0", "evaluation0", "walk0", "settings0"} == set(seen.ids) - {"page-data"}
    for words in (
        "stroll on hills · one hill",
        "Finished at step 10, epoch 2, as nothing more was gained.",
        "It never fell.",
        "Height 10 metres",
        "Paces a second 95.5 median over the run",
        "Duration 10 s 10 steps",
        "path [1, 2, 4]",
        "Not evaluated yet",
    ):
        assert words in seen.text
    assert list(data["charts"]) == ["run0-height", "run0-loss", "run0-paces_per_second"]
    assert data["walks"]["0"] == {"path": [1, 2, 4]} and "maps" not in data and "bars" not in data
    text = page.read_text("utf-8")
    assert ".walk {" in text and "dataset.steps" in text and "map-stage" not in text.partition("</style>")[2]


def test_what_is_missing_is_said(tmp_path):
    (tmp_path / "config.yaml").write_text("method: stroll\n")
    (tmp_path / "walk.json").write_text("[")
    (tmp_path / "metrics.csv").write_text("step,loss\n1,2\n")
    seen = Seen(build([tmp_path], tmp_path / "page.html", SECTIONS))
    assert "No height was logged." in seen.text and "walk.json could not be read" in seen.text


def test_names_in_a_wing_s_files_stay_text(tmp_path):
    run = make_walk(tmp_path / "run", path='["<script>alert(1)</script>"]', note=EVIL)
    seen = Seen(build([run], tmp_path / "page.html", SECTIONS))
    assert seen.count("script") == 5 and "<script>alert(1)</script>" in seen.text


def test_three_wings_on_one_page(walk, tmp_path):
    runs = [walk, make_ranked_run(tmp_path / "sgl"), make_run(tmp_path / "cells"), make_walk(tmp_path / "down", seed=1)]
    page = build(runs, tmp_path / "page.html", [SECTIONS, INTERACTIONS, IMAGES, SECTIONS])
    seen, data = Seen(page), data_of(page)
    assert seen.classed("overview") == 3 and len(seen.ids) == len(set(seen.ids))
    assert {"map2", "recommendations1", "walk0", "walk3"} <= set(seen.ids)
    assert {"images-loss", "interactions-loss", "walks-loss"} <= set(data["charts"])
    assert [curve["colour"] for curve in data["charts"]["walks-height"]["series"]] == [0, 3]
    order = [seen.text.index(words) for words in ("kNN", "Recall@20", "Paces/s", "The long tail", "All walks")]
    assert order == sorted(order)
    document = opened(page, tmp_path / "profile")
    root = re.search(r"<html[^>]*>", document)[0]
    assert 'data-ready="yes"' in root and "data-errors" not in root
    assert len(re.findall(r'data-steps="3"', document)) == 2


def test_images_and_interactions_side_by_side(tmp_path):
    runs = [make_ranked_run(tmp_path / "plays"), make_run(tmp_path / "cells")]
    runs.append(make_ranked_run(tmp_path / "books", data="books.csv"))
    page = build(runs, tmp_path / "page.html", [INTERACTIONS, IMAGES, INTERACTIONS])
    seen, data = Seen(page), data_of(page)
    assert {"all-tail0", "all-tail1", "run0-tail0", "run2-tail0"} == set(data["bars"])
    assert {"images-knn", "interactions-recall@20"} <= set(data["charts"])
    assert [curve["colour"] for curve in data["charts"]["interactions-recall@20"]["series"]] == [0, 2]
    assert seen.classed("overview") == 2 and {"map1", "recommendations0", "recommendations2"} <= set(seen.ids)
