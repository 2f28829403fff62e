"""What a run on interactions measured, in words, beside its floors."""

import json

import pytest

from twofold.interactions.report.ranking import MetricCell, beside, gain, lengths, measured, metric_rows, titled
from twofold.page import read_run

from .ranked_runs import entries, make_ranked_run

NBSP = "\u00a0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_ranked_run(tmp_path_factory.mktemp("runs") / "sgl")


def test_numbers_beside_the_best_floor(folder):
    (record,) = measured(read_run(folder))
    assert record.best_floor("recall@20") == ("graph filter", 0.225)
    rows = metric_rows(record, [20, 50])
    assert lengths(record) == [20, 50] and [row.name for row in rows] == ["Recall", "NDCG"]
    recall, ndcg = (row.cells for row in rows)
    assert recall[0] == MetricCell("0.2500", "graph filter 0.2250", True)
    assert recall[1].good is False and ndcg[1] is None
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
    assert metric_rows(record, [20])[0].cells[0].good is None
