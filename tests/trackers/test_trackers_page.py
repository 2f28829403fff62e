"""docs/trackers.md: its tracker keeps a run, and each extra that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

from ..runs.test_tracking import opened, row
from .ledger import install, lines

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trackers.md").read_text(encoding="utf-8")


def test_the_tracker_of_the_page_works(tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    install(tmp_path / "site", monkeypatch, code)
    run = opened(tmp_path / "run")
    run.restore(0)
    run.log(row(2))
    run.finish("finished")
    run.close()
    assert lines(tmp_path / "run") == [{"step": 2, "loss": 0.5}]


def test_extras_are_those_of_the_project():
    project = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"twofold\[(\w+)\]", PAGE)
    assert extras == ["wandb", "mlflow"] and all(f"\n{extra} = [" in project for extra in extras)
