"""samples.json of a run: a few users, what they have, what they are recommended, by title where there are titles."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from twofold.cli import main
from twofold.interactions.jobs.samples import write_samples

SMALL = ["--epochs", "2", "--batch-size", "64", "--method.dim", "8", "--quiet"]


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    """12 items each for 30 users, of 40; and titles of all but two items, one of which is not known to the run."""
    folder, drawn = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    lines = [f"{user},i{item}" for user in range(30) for item in drawn.choice(40, 12, replace=False)]
    (folder / "plays.csv").write_text("\n".join(["user,item", *lines]) + "\n")
    titles = ["name,id", *(f"<b>Song {item}</b>,i{item}" for item in range(1, 40)), "Nobody's,i99"]
    (folder / "titles.csv").write_text("\n".join(titles) + "\n")
    return folder / "plays.csv"


@pytest.fixture(scope="module")
def run(plays, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "plays"
    command = ["pretrain", "lightgcn", str(plays), "--out", str(out), *SMALL]
    assert main([*command, "--titles", str(plays.parent / "titles.csv")]) == 0
    return out


def stored(run):
    return json.loads((run / "samples.json").read_text())["users"]


def test_samples_are_what_users_have_and_new_items_with_titles(run):
    users, items = (pq.read_table(run / f"{side}_ids.parquet")[side].to_pylist() for side in ("user", "item"))
    pairs = pq.read_table(run / "pairs.parquet")
    used = {}
    for u, i in zip(*(column.to_pylist() for column in pairs.columns), strict=True):
        used.setdefault(users[u], set()).add(items[i])
    samples = stored(run)
    assert len(samples) == len({sample["user"] for sample in samples}) == 8
    for sample in samples:
        own, learned = used[sample["user"]], {entry["item"] for entry in sample["learned"]}
        assert sample["count"] == len(own) and len(learned) == min(8, len(own)) and learned <= own
        best = sample["recommended"]
        assert len(best) == 10 and not {entry["item"] for entry in best} & own
        assert [entry["score"] for entry in best] == sorted((entry["score"] for entry in best), reverse=True)
        for entry in (*best, *sample["learned"]):
            number = entry["item"].removeprefix("i")
            assert entry["title"] == (f"<b>Song {number}</b>" if number != "0" else "i0")


def test_samples_are_the_recommendations(run, tmp_path):
    sample = stored(run)[0]
    out = tmp_path / "found.parquet"
    assert main(["recommend", str(run), "--users", str(sample["user"]), "--k", "10", "--out", str(out), "--quiet"]) == 0
    assert pq.read_table(out)["item"].to_pylist() == [entry["item"] for entry in sample["recommended"]]


def test_they_are_drawn_by_seed(run):
    before = stored(run)
    write_samples(run, 1)
    assert [s["user"] for s in stored(run)] != [s["user"] for s in before]
    assert all(entry["title"] == entry["item"] for s in stored(run) for entry in s["recommended"])
    (run / "samples.json").write_text(json.dumps({"users": before}))


def test_evaluate_makes_them_where_they_are_missing(run, plays):
    before = stored(run)
    (run / "samples.json").unlink()
    assert main(["evaluate", str(run), str(plays), "--quiet"]) == 0
    assert stored(run) == before
    (run / "samples.json").write_text("kept")
    assert main(["evaluate", str(run), str(plays), "--quiet"]) == 0
    assert (run / "samples.json").read_text() == "kept"
    (run / "samples.json").write_text(json.dumps({"users": before}))


def test_the_report_shows_them_escaped(run):
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "&lt;b&gt;Song 5&lt;/b&gt;" in page and "<b>Song 5" not in page
    assert 'id="recommendations0"' in page and 'id="map0"' not in page


def test_titles_may_come_later_and_mistakes_in_them_come_first(run, plays, tmp_path, capsys):
    command = ["pretrain", "lightgcn", str(plays), *SMALL]
    assert main([*command, "--out", str(run)]) == 0
    assert stored(run)[0]["recommended"][0]["title"].startswith("<b>")
    titles = plays.parent / "others.csv"
    titles.write_text("\n".join(["item,title", *(f"i{item},Tune {item}" for item in range(40))]) + "\n")
    assert main([*command, "--out", str(run), "--titles", str(titles)]) == 0
    assert stored(run)[0]["recommended"][0]["title"].startswith("Tune ")
    assert "Tune 5" in (run / "report.html").read_text()
    assert main([*command, "--out", str(tmp_path / "new"), "--titles", "nowhere.csv"]) == 2
    assert "nowhere.csv does not exist" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert main(["pretrain", "simclr", "photos", "--titles", "x.csv"]) == 2
    assert "--titles belongs to interactions, and simclr learns from images" in capsys.readouterr().err
