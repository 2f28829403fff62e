"""The curves of runs on interactions: what is shown, what is folded, the epoch that was kept."""

from twofold.interactions.report.columns import ranking_columns
from twofold.interactions.report.ranking import best_epoch
from twofold.page import read_run
from twofold.page.charts import charts_of_all, charts_of_one
from twofold.page.sections import Numbered

from .ranked_runs import make_ranked_run


def test_curves(tmp_path):
    run = read_run(make_ranked_run(tmp_path / "sgl"))
    assert best_epoch(run) == 6
    charts = charts_of_one(Numbered(3, "sgl", run), ranking_columns("validation pairs"), 1.0, "run3")
    assert [chart.column for chart in charts.shown] == ["recall@20", "ndcg@20", "loss", "triples_per_second"]
    assert [chart.column for chart in charts.folded] == ["hit@20", "lr", "novelty"]
    recall, _, loss, speed = charts.shown
    assert recall.title == "Recall@20, validation pairs"
    (curve,) = recall.series
    assert curve["colour"] == 3 and curve["best"]["x"]["step"] == [60.0] and curve["best"]["y"] == [0.25]
    assert curve["best"]["name"] == "epoch 6" and "best" not in speed.series[0]
    assert loss.log and [curve["name"] for curve in loss.series] == ["total", "bpr", "l2"]


def test_curves_of_several_runs(tmp_path):
    run = read_run(make_ranked_run(tmp_path / "sgl"))
    both = [Numbered(0, "a", run), Numbered(2, "b", run)]
    charts = charts_of_all(both, ranking_columns("held-out pairs"), 1.0, "interactions")
    assert [(curve["name"], curve["colour"]) for curve in charts.shown[2].series] == [("a", 0), ("b", 2)]
    assert not charts.shown[2].log and charts.shown[0].series[0]["best"]["name"] == "epoch 6"
