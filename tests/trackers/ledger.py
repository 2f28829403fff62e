"""A tracker of another package: a distribution with an entry point, which keeps all that it is given in one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

CODE = '''
import json


class Ledger:
    """Writes a line for each call into ledger.jsonl of the run folder; is down while there is a file `down`."""

    def start(self, run):
        self.folder = run.folder
        self.write(start=run.id, settings=sorted(run.config))
        return run.id or "page 1"

    def log(self, step, numbers):
        self.write(step=step, numbers=numbers)

    def attach(self, file):
        self.write(file=file.name)

    def finish(self, ended):
        self.write(ended=ended)

    def write(self, **line):
        if (self.folder / "down").exists():
            raise ConnectionError("no route to the ledger.")
        with (self.folder / "ledger.jsonl").open("a") as book:
            book.write(json.dumps(line) + "\\n")
'''


def install(site: Path, monkeypatch: pytest.MonkeyPatch, code: str = CODE) -> None:
    """Put the distribution on sys.path, as pip leaves it there."""
    about = site / "ledger-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ledger\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[twofold.trackers]\nledger = keeping_a_ledger:Ledger\n")
    (site / "keeping_a_ledger.py").write_text(code)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "keeping_a_ledger", raising=False)


def lines(folder: Path) -> list[dict[str, Any]]:
    """What the ledger of a run folder holds."""
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]


def steps(folder: Path) -> list[int]:
    """The steps of the rows of metrics that the ledger holds, in their order."""
    return [line["step"] for line in lines(folder) if "loss" in line.get("numbers", {})]
