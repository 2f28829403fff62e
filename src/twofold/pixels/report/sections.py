"""What the page shows of runs alike, whether they learned from pictures or from clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twofold.page.columns import Column, Columns
from twofold.page.facts import collapse, last
from twofold.page.read import Run
from twofold.page.scale import amount, batch, length
from twofold.page.sections import Cell, Tile, Together
from twofold.page.words import Noun, number, number_or_dash
from twofold.pixels.report import knn


def together(runs: Sequence[Run], columns: Columns, thing: Noun) -> Together:
    """What the page shows of several runs side by side. thing: what they learned from."""
    numbers = ("loss", "spread", "effective_rank")
    return Together(
        columns=columns,
        numbers=["kNN", "Loss", "Spread", "Rank"],
        cells=[
            [accuracy, *(Cell(number_or_dash(last(run.metrics, column))) for column in numbers)]
            for accuracy, run in zip(knn.cells(runs), runs, strict=True)
        ],
        judged=["Features"],
        verdicts=[[collapse(run, thing)] for run in runs],
    )


def scale(run: Run, things: str, size: str) -> list[str]:
    """How much was learned from, with what and for how long, a few words each. size: of a view, in words."""
    backbone = run.config.get("backbone")
    return [amount(run, things), str(backbone) if backbone else "", size, length(run), batch(run)]


def accuracy(floors: Mapping[str, float], missing: str = "") -> Column:
    """The curve of the kNN accuracy above its floors. missing: why there is none, in words."""
    about = "Nearest-neighbour accuracy of the features: the check that it learns."
    return Column("knn", "kNN accuracy", about, "percent", missing=missing, lines=floors)


def tiles(run: Run) -> list[Tile]:
    """The last numbers in large: the accuracy, the loss, and how far the features are from a collapse."""
    named = (
        ("loss", "Last loss", "the total"),
        ("spread", "Spread", "1 is healthy"),
        ("effective_rank", "Effective rank", "directions in use"),
    )
    values = ((last(run.metrics, column), label, beside) for column, label, beside in named)
    return [
        *knn.tiles(run),
        *(Tile(label, number(value), beside) for value, label, beside in values if value is not None),
    ]
