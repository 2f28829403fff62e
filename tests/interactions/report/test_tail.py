"""The long tail as grouped bars."""

import pytest

from twofold.interactions.report.ranking import measured
from twofold.interactions.report.tail import tail_bars
from twofold.page import read_run

from .ranked_runs import make_ranked_run


def test_groups_as_bars(tmp_path):
    run = read_run(make_ranked_run(tmp_path / "sgl"))
    (record,) = measured(run)
    drawn = tail_bars("x", {"sgl": (0, record)})
    assert drawn["groups"] == [str(g) for g in range(1, 11)]
    assert [(s["name"], s.get("colour")) for s in drawn["series"]] == [
        ("sgl", 0), ("popularity", None), ("graph filter", None),
    ]  # fmt: skip
    assert sum(drawn["series"][0]["values"]) == pytest.approx(0.25, abs=1e-5)
    record.values = {key: value for key, value in record.values.items() if key[0] == "ranking"}
    assert tail_bars("x", {"sgl": (0, record)}) is None
