"""A run folder is read whole, in part and broken."""

import numpy as np
import pytest

from twofold.errors import UserError
from twofold.page import read_run

from ..images.report.runs import make_run


def test_whole_run(tmp_path):
    run = read_run(make_run(tmp_path / "cells"))
    assert run.name == "cells" and run.notes == []
    assert run.config["optimizer.lr"] == 0.06 and run.environment["device.cores"] == 2
    assert len(run.metrics) == 240 and run.metrics[0].keys() & {"knn", "spread"} == set()
    assert run.metrics[-1]["knn"] == pytest.approx(0.95)
    assert len(run.unreadable) == 2 and len(run.log) == 1


def test_only_config_is_needed(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    run = read_run(tmp_path)
    assert run.metrics == [] and run.notes == [] and run.ended == ""


@pytest.mark.parametrize("content", [None, "- a\n- b\n", "", "a: [1\n", "x: !!python/object/apply:os.getcwd []\n"])
def test_no_run(tmp_path, content):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml"):
        read_run(tmp_path)
    with pytest.raises(UserError, match="nowhere"):
        read_run(tmp_path / "nowhere")


def test_broken_files_become_notes(tmp_path):
    folder = make_run(tmp_path / "run")
    for name in ("evaluation.json", "environment.json"):
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    run = read_run(folder)
    assert [note.split()[0] for note in run.notes] == ["environment.json", "evaluation.json"]
    assert run.evaluation == [] and len(run.metrics) == 240


def test_metrics_resumed_cut_off_and_odd(tmp_path):
    (tmp_path / "config.yaml").write_text("method: byol\n")
    lines = [
        "step,loss,knn",
        "1,5,",
        "2,4,",
        "2,,0.5",
        "3,3,",
        "4,9,",
        "3,2.5,",
        "4,nan,",
        "5,inf,junk",
        "step,loss,knn",
        "6,1\0",
        "7",
    ]
    (tmp_path / "metrics.csv").write_bytes("\n".join(lines).encode())
    rows = read_run(tmp_path).metrics
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[1] == {"step": 2, "loss": 4, "knn": 0.5}
    assert rows[2] == {"step": 3, "loss": 2.5}
    assert np.isnan(rows[3]["loss"]) and rows[4] == {"step": 5, "loss": float("inf")} and rows[6] == {"step": 7}
