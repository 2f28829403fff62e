"""The columns of metrics.csv that the page draws: their titles, their units and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from twofold.page.words import Noun

WARN_SPREAD = 0.3  # Below this part of the healthy spread, features are crowding together.
WARN_RANK = 0.25  # Below this part of the highest effective rank of the run, directions are being lost.


@dataclass(frozen=True)
class Column:
    """A column as a chart.

    reading: how it is read, a sentence or two. missing: the sentence where it was not logged. lines: heights, by name,
    that cross the chart. mark: a column that holds the epoch to be marked. warn: the height below which it is bad.
    log: on a logarithmic axis (the loss only, where it has several terms).
    """

    name: str
    title: str
    reading: str
    unit: Literal["number", "percent"] = "number"
    missing: str = ""
    lines: Mapping[str, float] = field(default_factory=dict)
    mark: str = ""
    warn: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Columns:
    """Which columns are drawn, in their order: shown, or folded away under a line that names them.

    undrawn: those that are not. along: the column that is the horizontal axis at first, where it was logged; its name
    is shown. others: what becomes of columns that nobody named. coloured: whether a single curve of
    one run bears the run's colour on a page of several, or the first colour.
    """

    shown: Sequence[Column]
    folded: Sequence[Column] = ()
    undrawn: frozenset[str] = frozenset()
    others: Literal["shown", "folded", "undrawn"] = "shown"
    coloured: bool = True
    along: str = ""


LOSS = Column(
    "loss",
    "Loss",
    "The total that is minimised, and each of its named terms.",
    missing="The loss was not logged.",
)
EFFECTIVE_RANK = Column(
    "effective_rank",
    "Effective rank",
    "How many directions the compared vectors really use.",
    missing="The effective rank was not logged.",
)
LEARNING_RATE = Column(
    "lr", "Learning rate", "The schedule as it was applied.", missing="The learning rate was not logged."
)


def spread(noun: Noun) -> Column:
    """The spread of the compared vectors."""
    return Column(
        "spread",
        "Spread",
        f"Of the compared vectors: 1 is healthy, they fill the sphere; near 0 every {noun.one} gets the same.",
        missing="The feature spread was not logged.",
        lines={"healthy": 1.0},
        warn=WARN_SPREAD,
    )


def speed(unit: Noun) -> Column:
    """How many of a unit a second were trained on."""
    return Column(
        f"{unit.many}_per_second",
        f"{unit.many.capitalize()} a second",
        "Training speed, all devices together.",
        missing="The speed was not logged.",
    )


def wait_share(noun: Noun) -> Column:
    """The part of the time spent waiting for data."""
    return Column(
        "wait_share",
        "Waiting for data",
        f"Share of the time in which the model waited for {noun.many}.",
        "percent",
        missing="The share of time spent waiting for data was not logged.",
    )
