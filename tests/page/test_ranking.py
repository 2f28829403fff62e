"""Runs on interactions: their numbers beside the floors, their page, and several of them side by side."""

import json

import pytest

from twofold.page import build, read_run
from twofold.page.facts import outcome
from twofold.page.ranking import beside, best_epoch, by_length, gain, measured, ranks, tail_bars, titled
from twofold.page.ranking_curves import ranking_charts

from .ranked_runs import LOGGED, entries, make_ranked_run
from .runs import make_run
from .test_page import EVIL, Seen, data_of

NBSP = "\u00a0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_ranked_run(tmp_path_factory.mktemp("runs") / "sgl")


@pytest.fixture(scope="module")
def page(folder):
    return build([folder], folder.parent / "page.html")


def test_what_kind_a_run_is(folder, tmp_path):
    assert ranks(read_run(folder))
    assert not ranks(read_run(make_run(tmp_path / "image")))
    own = make_ranked_run(tmp_path / "own", method="mine.Ranker")
    assert ranks(read_run(own))
    (own / "metrics.csv").unlink()
    assert ranks(read_run(own))
    (own / "evaluation.json").unlink()
    assert not ranks(read_run(own))


def test_the_end_of_a_run(folder, tmp_path):
    finished = outcome(read_run(folder))
    assert (finished.word, finished.text) == ("finished", "Finished at step 90, epoch 9, as nothing more was gained.")
    other = make_ranked_run(tmp_path / "other")
    (other / "model.safetensors").unlink()
    assert outcome(read_run(other)).word == "stopped"


def test_numbers_beside_the_best_floor(folder):
    (record,) = measured(read_run(folder))
    assert record.best_floor("recall@20") == ("graph filter", 0.225)
    table = by_length(record)
    assert table["ks"] == [20, 50] and [row["name"] for row in table["rows"]] == ["Recall", "NDCG"]
    recall, ndcg = (row["cells"] for row in table["rows"])
    assert recall[0] == {"value": "0.2500", "floor": "graph filter 0.2250", "good": True}
    assert recall[1]["good"] is False and ndcg[1] is None
    assert beside(0.25, ("x", 0.2)) == f"x 0.2000, +25.0{NBSP}%" and beside(0.1, ("x", 0.2)).endswith(f"−50.0{NBSP}%")
    assert beside(0.25, ("x", 0.0)) == "x 0.0000" and beside(0.25, None) == "no floor was measured"
    assert (titled("ndcg@20"), titled("novelty")) == ("NDCG@20", "novelty")


def test_no_gain_is_said(folder, tmp_path):
    assert gain(read_run(folder)) is None
    flat = make_ranked_run(tmp_path / "flat")
    rows = entries(0.25, "plays.csv")
    for row in rows:
        row["value"] = 0.1
    (flat / "evaluation.json").write_text(json.dumps(rows))
    verdict = gain(read_run(flat))
    assert "does not beat popularity (0.1000 against 0.1000)" in verdict.text
    (record,) = measured(read_run(flat))
    assert by_length(record)["rows"][0]["cells"][0]["good"] is None


def test_later_measurements_and_other_data(folder, tmp_path):
    run = make_ranked_run(tmp_path / "run")
    later = [*entries(0.5, "later.csv"), *entries(0.2, "plays.csv", "before"), *entries(0.3, "plays.csv")]
    (run / "evaluation.json").write_text(json.dumps([*later, {"value": None}, {"value": "x"}, 3]))
    own, other = measured(read_run(run))
    assert (own.data, other.data) == ("plays.csv", "later.csv")
    assert own.values["ranking", "recall@20"] == 0.3
    seen = Seen(build([run], tmp_path / "page.html"))
    assert seen.classed("ranked") == 2 and seen.classed("bars") == 2 and "later.csv" in seen.text


def test_users_apart(tmp_path):
    run = make_ranked_run(tmp_path / "run")
    rows = json.loads((run / "evaluation.json").read_text())
    known = {"protocol": "3 users without training pairs", "metric": "recall@20", "data": "plays.csv"}
    rows += [known | {"name": "run", "value": 0.1}, known | {"name": "popularity", "floor": True, "value": 0.2}]
    (run / "evaluation.json").write_text(json.dumps(rows))
    said = "3 users without training pairs: Recall@20 0.1000 (popularity 0.2000, −50.0 %)."
    assert said in Seen(build([run], tmp_path / "page.html")).text


def test_groups_as_bars(folder):
    run = read_run(folder)
    (record,) = measured(run)
    drawn = tail_bars("x", {"sgl": (0, record)})
    assert drawn["groups"] == [str(g) for g in range(1, 11)]
    assert [(s["name"], s.get("colour")) for s in drawn["series"]] == [
        ("sgl", 0), ("popularity", None), ("graph filter", None),
    ]  # fmt: skip
    assert sum(drawn["series"][0]["values"]) == pytest.approx(0.25, abs=1e-5)
    record.values = {key: value for key, value in record.values.items() if key[0] == "ranking"}
    assert tail_bars("x", {"sgl": (0, record)}) is None


def test_curves(folder):
    run = read_run(folder)
    assert best_epoch(run) == 6
    shown, folded = ranking_charts({"sgl": (3, run.metrics)}, "validation pairs")
    assert [made["column"] for made in shown] == ["recall@20", "ndcg@20", "loss", "triples_per_second"]
    assert [made["column"] for made in folded] == ["hit@20", "lr", "novelty"]
    recall = shown[0]
    assert recall["title"] == "Recall@20, validation pairs"
    (curve,) = recall["series"]
    assert curve["colour"] == 3 and curve["best"]["x"]["step"] == [60.0] and curve["best"]["y"] == [0.25]
    assert curve["best"]["name"] == "epoch 6" and "best" not in shown[3]["series"][0]
    assert shown[2]["log"] and [s["name"] for s in shown[2]["series"]] == ["total", "bpr", "l2"]
    over, _ = ranking_charts({"a": (0, run.metrics), "b": (2, run.metrics)}, "held-out pairs")
    assert [(s["name"], s["colour"]) for s in over[2]["series"]] == [("a", 0), ("b", 2)]
    assert ranking_charts({"a": (0, [])}, "held-out pairs") == ([], [])


def test_the_page(page):
    seen = Seen(page)
    assert {"curves0", "evaluation0", "recommendations0", "settings0"} <= set(seen.ids)
    assert not {"map0", "neighbours0", "views0", "unreadable0"} & set(seen.ids)
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    assert links == ["#curves0", "#evaluation0", "#recommendations0", "#settings0"]
    for said in (
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
        assert said in seen.text
    for unsaid in ("kNN", "ollapse", "abels", "pread", "mages", "gallery", "Stopped", "best_epoch was"):
        assert unsaid not in seen.text
    assert seen.classed("curves") == 7 and seen.classed("bars") == 1 and seen.count("script") == 6
    assert page.stat().st_size < 8_000_000 and "default-src 'none'" in page.read_text("utf-8")


def test_strangers_names_stay_text(tmp_path):
    run = make_ranked_run(tmp_path / "a<b>&c", evil=EVIL, data=EVIL)
    rows = json.loads((run / "evaluation.json").read_text())
    for row in rows:
        row["name"] = row["name"].replace("popularity", EVIL)
    rows.append({"protocol": "ranking", "metric": f"{EVIL}@20", "value": 0.5, "data": EVIL})
    (run / "evaluation.json").write_text(json.dumps(rows))
    (run / "metrics.csv").write_text((run / "metrics.csv").read_text().replace("novelty", EVIL.replace('"', "")))
    seen = Seen(build([run, make_ranked_run(tmp_path / "b", data=EVIL)], tmp_path / "page.html"))
    assert seen.count("script") == 6 and seen.count("title") == 1 and seen.count("img") == 0
    assert not [attributes for _, attributes in seen.tags if any(name.startswith("on") for name in attributes)]
    assert f"New 3 {EVIL}" in seen.text and f"ann 7 {EVIL}" in seen.text


def test_almost_nothing(tmp_path):
    (tmp_path / "config.yaml").write_text("method: lightgcn\n")
    seen = Seen(build([tmp_path], tmp_path / "page.html"))
    for said in ("Nothing was logged", "no curves to draw", "Not evaluated yet", "No samples were kept"):
        assert said in seen.text
    assert seen.classed("curves") == seen.classed("bars") == 0
    (tmp_path / "metrics.csv").write_text(LOGGED + "\n5,1,2,0.5,0.005,100,0,0.4,3\n")
    assert "Nothing was ranked while the run went on" in Seen(build([tmp_path], tmp_path / "page.html")).text


@pytest.mark.parametrize("broken", ['{"users": 3}', '{"users": [{"user": 1}]}', "[", '{"users": ["x"]}', "3"])
def test_broken_samples_are_a_note(tmp_path, broken):
    run = make_ranked_run(tmp_path / "run")
    (run / "samples.json").write_text(broken)
    seen = Seen(build([run], tmp_path / "page.html"))
    assert "samples.json could not be read" in seen.text and "No samples were kept" in seen.text


def test_several_runs_side_by_side(tmp_path):
    light = make_ranked_run(
        tmp_path / "lightgcn", recall=0.2, method="lightgcn", method_options={"lightgcn.dim": 64, "lightgcn.layers": 2}
    )
    sgl = make_ranked_run(tmp_path / "sgl", method_options={"sgl.dim": 64, "sgl.layers": 3, "sgl.ratio": 0.1})
    page = build([light, sgl], tmp_path / "page.html")
    seen, data = Seen(page), data_of(page)
    bars = data["bars"]["all-tail0"]["series"]
    assert [(side["name"], side.get("colour")) for side in bars] == [("lightgcn", 0), ("sgl", 1)]  # floors differ
    assert [curve["name"] for curve in data["charts"]["ranked-recall@20"]["series"]] == ["lightgcn", "sgl"]
    differ = seen.text.partition("Where the settings differ")[2].partition("Curves")[0]
    assert "layers 2 3" in differ and "ratio — 0.1" in differ and "dim" not in differ
    assert seen.classed("best") == 2 and "0.2500 graph filter 0.2250" in seen.text
    assert "kNN" not in seen.text and "The long tail" in seen.text and len(seen.ids) == len(set(seen.ids))
    again = make_ranked_run(tmp_path / "again", method="lightgcn")
    bars = data_of(build([again, sgl], page))["bars"]["all-tail0"]["series"]
    assert [side["name"] for side in bars] == ["again", "sgl", "popularity", "graph filter"]


def test_other_data_other_bars_and_images_beside(folder, tmp_path):
    other = make_ranked_run(tmp_path / "other", data="books.csv")
    cells = make_run(tmp_path / "cells")
    page = build([folder, cells, other], tmp_path / "page.html")
    seen, data = Seen(page), data_of(page)
    assert {"all-tail0", "all-tail1", "run0-tail0", "run2-tail0"} == set(data["bars"])
    assert {"all-knn", "ranked-recall@20"} <= set(data["charts"])
    assert [curve["colour"] for curve in data["charts"]["ranked-recall@20"]["series"]] == [0, 2]
    assert seen.classed("overview") == 2 and {"map1", "recommendations0", "recommendations2"} <= set(seen.ids)
