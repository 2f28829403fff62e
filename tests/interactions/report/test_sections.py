"""The page of runs on interactions: its sections, what is missing, strangers' names, several side by side."""

import json

import pytest

from twofold.interactions.report.ranking import measured
from twofold.interactions.report.sections import SECTIONS
from twofold.page import build, read_run

from ...page.seen import EVIL, Seen, data_of
from .ranked_runs import LOGGED, entries, make_ranked_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_ranked_run(tmp_path_factory.mktemp("runs") / "sgl")


@pytest.fixture(scope="module")
def page(folder):
    return build([folder], folder.parent / "page.html", SECTIONS)


def test_later_measurements_and_other_data(folder, tmp_path):
    run = make_ranked_run(tmp_path / "run")
    later = [*entries(0.5, "later.csv"), *entries(0.2, "plays.csv", "before"), *entries(0.3, "plays.csv")]
    (run / "evaluation.json").write_text(json.dumps([*later, {"value": None}, {"value": "x"}, 3]))
    own, other = measured(read_run(run))
    assert (own.data, other.data) == ("plays.csv", "later.csv")
    assert own.values["ranking", "recall@20"] == 0.3
    seen = Seen(build([run], tmp_path / "page.html", SECTIONS))
    assert seen.classed("ranked") == 2 and seen.classed("bars") == 2 and "later.csv" in seen.text


def test_users_apart(tmp_path):
    run = make_ranked_run(tmp_path / "run")
    rows = json.loads((run / "evaluation.json").read_text())
    known = {"protocol": "3 users without training pairs", "metric": "recall@20", "data": "plays.csv"}
    rows += [known | {"name": "run", "value": 0.1}, known | {"name": "popularity", "floor": True, "value": 0.2}]
    (run / "evaluation.json").write_text(json.dumps(rows))
    words = "3 users without training pairs: Recall@20 0.1000 (popularity 0.2000, −50.0 %)."
    assert words in Seen(build([run], tmp_path / "page.html", SECTIONS)).text


def test_the_page(page):
    seen = Seen(page)
    assert {"curves0", "evaluation0", "recommendations0", "settings0"} <= set(seen.ids)
    assert not {"map0", "neighbours0", "views0", "unreadable0"} & set(seen.ids)
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    assert links == ["#curves0", "#evaluation0", "#recommendations0", "#settings0"]
    for words in (
        "sgl on plays.csv · 37,829 pairs · up to 1000 epochs · batch 2048",
        "Recall@20, test 0.2500 graph filter 0.2250, +11.1 %",
        "NDCG@20, test 0.1250",
        "Best epoch 6 of 9, by Recall@20 on validation pairs",
        "Triples a second 20,005",
        "group 10 the most popular",
        "ann 0",
        "and 4 more",
        "New 9 0.41",
    ):
        assert words in seen.text
    for unsaid in ("kNN", "ollapse", "abels", "pread", "mages", "gallery", "Stopped", "best_epoch was"):
        assert unsaid not in seen.text
    assert seen.classed("curves") == 7 and seen.classed("bars") == 1 and seen.count("script") == 5
    assert page.stat().st_size < 8_000_000 and "default-src 'none'" in page.read_text("utf-8")


def test_strangers_names_stay_text(tmp_path):
    run = make_ranked_run(tmp_path / "a<b>&c", evil=EVIL, data=EVIL)
    rows = json.loads((run / "evaluation.json").read_text())
    for row in rows:
        row["name"] = row["name"].replace("popularity", EVIL)
    rows.append({"protocol": "ranking", "metric": f"{EVIL}@20", "value": 0.5, "data": EVIL})
    (run / "evaluation.json").write_text(json.dumps(rows))
    (run / "metrics.csv").write_text((run / "metrics.csv").read_text().replace("novelty", EVIL.replace('"', "")))
    seen = Seen(build([run, make_ranked_run(tmp_path / "b", data=EVIL)], tmp_path / "page.html", SECTIONS))
    assert seen.count("script") == 5 and seen.count("title") == 1 and seen.count("img") == 0
    assert not [attributes for _, attributes in seen.tags if any(name.startswith("on") for name in attributes)]
    assert f"New 3 {EVIL}" in seen.text and f"ann 7 {EVIL}" in seen.text


def test_almost_nothing(tmp_path):
    (tmp_path / "config.yaml").write_text("method: lightgcn\n")
    seen = Seen(build([tmp_path], tmp_path / "page.html", SECTIONS))
    for words in ("Nothing was logged", "no curves to draw", "Not evaluated yet", "No samples were kept"):
        assert words in seen.text
    assert seen.classed("curves") == seen.classed("bars") == 0
    (tmp_path / "metrics.csv").write_text(LOGGED + "\n5,1,2,0.5,0.005,100,0,0.4,3\n")
    assert "Nothing was ranked while the run went on" in Seen(build([tmp_path], tmp_path / "page.html", SECTIONS)).text


@pytest.mark.parametrize("broken", ['{"users": 3}', '{"users": [{"user": 1}]}', "[", '{"users": ["x"]}', "3"])
def test_broken_samples_are_a_note(tmp_path, broken):
    run = make_ranked_run(tmp_path / "run")
    (run / "samples.json").write_text(broken)
    seen = Seen(build([run], tmp_path / "page.html", SECTIONS))
    assert "samples.json could not be read" in seen.text and "No samples were kept" in seen.text


def test_several_runs_side_by_side(tmp_path):
    light = make_ranked_run(
        tmp_path / "lightgcn", recall=0.2, method="lightgcn", method_options={"lightgcn.dim": 64, "lightgcn.layers": 2}
    )
    sgl = make_ranked_run(tmp_path / "sgl", method_options={"sgl.dim": 64, "sgl.layers": 3, "sgl.ratio": 0.1})
    page = build([light, sgl], tmp_path / "page.html", SECTIONS)
    seen, data = Seen(page), data_of(page)
    bars = data["bars"]["all-tail0"]["series"]
    assert [(side["name"], side.get("colour")) for side in bars] == [("lightgcn", 0), ("sgl", 1)]  # floors differ
    assert [curve["name"] for curve in data["charts"]["interactions-recall@20"]["series"]] == ["lightgcn", "sgl"]
    differ = seen.text.partition("Where the settings differ")[2].partition("Curves")[0]
    assert "layers 2 3" in differ and "ratio — 0.1" in differ and "dim" not in differ
    assert seen.classed("best") == 2 and "0.2500 graph filter 0.2250" in seen.text
    assert "kNN" not in seen.text and "The long tail" in seen.text and len(seen.ids) == len(set(seen.ids))
    again = make_ranked_run(tmp_path / "again", method="lightgcn")
    bars = data_of(build([again, sgl], page, SECTIONS))["bars"]["all-tail0"]["series"]
    assert [side["name"] for side in bars] == ["again", "sgl", "popularity", "graph filter"]
