"""The page of runs on images: its sections, what is missing, strangers' names, several runs."""

import json

import numpy as np
import pytest

from twofold.images.report.sections import SECTIONS
from twofold.page import build

from ...page.seen import EVIL, Seen, data_of
from .runs import make_run, write_gallery, write_metrics


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    return build([make_run(folder / "cells")], folder / "page.html", SECTIONS)


def test_one_run(one):
    seen = Seen(one)
    assert len(seen.ids) == len(set(seen.ids))
    assert {"curves0", "evaluation0", "map0", "neighbours0", "views0", "settings0"} <= set(seen.ids)
    for words in (
        "simclr on cells/train.parquet · 990 images",
        "2026-02-03 10:21",
        "No collapse: spread 0.95 of 1",
        "98.3 %",
    ):
        assert words in seen.text
    for words in (
        "+9.5 points",
        "2 images could not be read",
        "cells/broken.jpg truncated",
        "optimizer.lr",
        "device.cores",
    ):
        assert words in seen.text
    assert seen.classed("curves") == 8 and seen.classed("query") == 8 and seen.classed("cell") == 64
    assert seen.classed("same") + seen.classed("other") == 56
    assert seen.count("img") == 15
    assert seen.count("h1") == 1


def test_page_is_light_and_alone(one):
    assert one.stat().st_size < 8_000_000
    for tag, attributes in Seen(one).tags:
        for name in ("src", "href", "action", "poster", "data", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, name, value[:80])
    text = one.read_text("utf-8")
    assert "default-src 'none'" in text and "@import" not in text


def test_data_for_the_script(one):
    data = data_of(one)
    points = data["maps"]["0"]
    assert len(points["x"]) == len(points["tile"]) == len(points["name"]) == 90
    assert points["classes"] == ["RBC", "WBC", "Platelets"]
    assert len(set(points["tile"])) == 90 and max(points["tile"]) < points["columns"] * points["rows"]
    assert data["charts"]["run0-knn"]["lines"][0] == {"y": 0.888, "label": "pixels"}


def test_strangers_names_stay_text(tmp_path):
    folder = make_run(tmp_path / "a<b>&c", method=EVIL, note={EVIL: EVIL})
    count = 90
    write_gallery(folder, names=np.array([f"{i}{EVIL}.jpg" for i in range(count)]), classes=np.array([EVIL] * 3))
    (folder / "unreadable.txt").write_text(EVIL + "\n")
    (folder / "log.txt").write_text(EVIL + "\n")
    (folder / "environment.json").write_text(json.dumps({EVIL: EVIL}))
    entry = {"protocol": EVIL, "metric": EVIL, "data": EVIL, "name": EVIL, "settings": {EVIL: EVIL}}
    (folder / "evaluation.json").write_text(json.dumps([entry | {"value": 0.5}, entry | {"value": 0.4, "floor": True}]))
    write_metrics(folder)
    table = (folder / "metrics.csv").read_text().replace("loss/contrast", "loss/" + EVIL.replace('"', ""), 1)
    (folder / "metrics.csv").write_text(table)
    seen = Seen(build([folder], tmp_path / "page.html", SECTIONS))
    assert seen.count("script") == 5 and seen.count("title") == 1 and seen.count("style") == 2
    assert not [attributes for _, attributes in seen.tags if any(name.startswith("on") for name in attributes)]
    assert all(attributes["src"].startswith("data:") for tag, attributes in seen.tags if tag == "img")
    assert EVIL in seen.text and "a<b>&c" in seen.text


def test_almost_nothing(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    seen = Seen(build([tmp_path], tmp_path / "page.html", SECTIONS))
    for words in (
        "Nothing was logged", "collapse was not watched", "no curves to draw", "Not evaluated yet",
        "No gallery was kept", "No views were kept", "The environment was not recorded",
    ):  # fmt: skip
        assert words in seen.text
    assert seen.classed("curves") == 0 and seen.classed("map") == 0


def test_no_labels(tmp_path):
    seen = Seen(build([make_run(tmp_path / "run", labelled=False)], tmp_path / "page.html", SECTIONS))
    assert "No labels: kNN was not measured." in seen.text and "No labels: judge by eye." in seen.text
    assert seen.classed("same") == seen.classed("other") == 0 and seen.classed("query") == 8


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"features": np.full((90, 8), np.nan, np.float32)}, "0 usable feature vectors"),
        ({"features": np.ones((90, 8), np.float32)}, "there is no map to draw"),
        (
            {"features": np.r_[np.full((3, 8), np.inf), np.random.default_rng(0).normal(size=(87, 8))]},
            "3 images were left out",
        ),
    ],
)
def test_features_gone_wrong(tmp_path, replaced, words):
    folder = make_run(tmp_path / "run")
    write_gallery(folder, **replaced)
    assert words in Seen(build([folder], tmp_path / "page.html", SECTIONS)).text


def test_several_runs(tmp_path):
    good = make_run(tmp_path / "x" / "cells")
    bad = make_run(tmp_path / "y" / "cells", method="simsiam", spread=0.03, seed=4)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.yaml").write_text("method: moco\n")
    page = build([good, bad, bare], tmp_path / "deep" / "er" / "page.html", SECTIONS)
    seen = Seen(page)
    assert "3 runs compared" in seen.text and "x/cells" in seen.text and "y/cells" in seen.text
    assert seen.count("details", **{"class": "run"}) == 3 and len(seen.ids) == len(set(seen.ids))
    assert "collapsed" in seen.text and "healthy" in seen.text
    charts = data_of(page)["charts"]
    assert [curve["name"] for curve in charts["images-loss"]["series"]] == ["x/cells", "y/cells"]
    assert {line["label"] for line in charts["images-knn"]["lines"]} == {"pixels", "random network"}
    assert page.stat().st_size < 8_000_000
