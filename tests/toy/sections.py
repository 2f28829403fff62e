"""What a page shows of runs on numbers."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.page.columns import LEARNING_RATE, LOSS, Columns
from twofold.page.read import Run
from twofold.page.sections import Cell, Numbered, Parts, Sections, Together
from twofold.page.words import Noun, number

_COLUMNS = Columns([LOSS, LEARNING_RATE])


def _one(numbered: Numbered, room: float) -> Parts:
    return Parts(_COLUMNS, remarks=["These numbers were made up."])


def _several(runs: Sequence[Numbered], room: float) -> Together:
    losses = [one.run.metrics[-1]["loss"] for one in runs]
    return Together(_COLUMNS, ["Last loss"], [[Cell(number(loss))] for loss in losses])


def _scale(run: Run) -> list[str]:
    return [f"{run.environment.get('rows')} rows"]


SECTIONS = Sections("numbers", Noun("row", "rows"), "model.safetensors", _one, _several, _scale)
