"""A wing over made-up numbers that gives its own sections, template, style and script, and touches nothing of the page.

Its runs are walks; what it keeps of them is walk.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from twofold.page.columns import LOSS, Column, Columns
from twofold.page.facts import Verdict, last
from twofold.page.read import Run, read_json, read_or_note
from twofold.page.sections import Cell, Numbered, Parts, Section, Sections, Tile, Together
from twofold.page.words import Noun, number_or_dash

_HERE = Path(__file__).parent
_COLUMNS = Columns([Column("height", "Height", "How high the walk is.", missing="No height was logged."), LOSS])


def one(numbered: Numbered, room: float) -> Parts:
    notes: list[str] = []
    walk: dict[str, Any] = read_or_note(numbered.run.path / "walk.json", read_json, {}, notes)
    return Parts(
        columns=_COLUMNS,
        sections=[Section("walk", "The walk", "walk.html", walk, "Walk")],
        tiles=[Tile("Height", number_or_dash(last(numbered.run.metrics, "height")), "metres")],
        verdicts=[Verdict("good", "upright", "It never fell.")],
        notes=notes,
        data={"walks": {str(numbered.index): walk}},
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    return Together(
        columns=_COLUMNS,
        numbers=["Height"],
        cells=[[Cell(number_or_dash(last(numbered.run.metrics, "height")))] for numbered in runs],
        sections=[Section("walks", "All walks", "walk.html", {"path": [len(runs)]})],
    )


def scale(run: Run) -> list[str]:
    return ["one hill"]


SECTIONS = Sections(
    name="walks",
    unit=Noun("pace", "paces"),
    learned="model.safetensors",
    one=one,
    several=several,
    scale=scale,
    html=_HERE,
    scripts=[_HERE / "walk.js"],
    style=_HERE / "walk.css",
)


def make_walk(folder: Path, path: str = "[1, 2, 4]", **config: object) -> Path:
    """A run folder of this wing."""
    folder.mkdir(parents=True)
    settings = {"method": "stroll", "data": "hills", "epochs": 2}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings | config))
    rows = ["step,epoch,seconds,loss,height,paces_per_second"]
    rows += [f"{step},{step / 5},{step},{1 / step},{step},{90 + step}" for step in range(1, 11)]
    (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
    (folder / "walk.json").write_text(f'{{"path": {path}}}')
    (folder / "outcome.json").write_text('{"ended": "enough", "steps": 10, "epochs": 2}')
    (folder / "model.safetensors").write_bytes(b"")
    return folder
