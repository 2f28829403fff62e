"""What `compare` asks of a wing: one way to train and to measure on some data, the same for every method and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from twofold.comparison.entries import Entry
from twofold.page import Sections


@dataclass(frozen=True)
class Result:
    """A number: its column, whose it is, its value, and whether that is a floor."""

    key: str
    name: str
    value: float
    floor: bool


@dataclass(frozen=True)
class Column:
    """A column of the table.

    unit: "percent" of a share, or a plain "number", with so many digits. main: differences are taken in it, and it is
    plotted. floored: a method below a floor is named.
    """

    key: str
    unit: Literal["percent", "number"]
    main: bool
    digits: int = 1
    floored: bool = True


class Ceiling(Protocol):
    """What is trained with all that is known, to hold the methods against."""

    name: str

    def done(self, seed: int) -> bool:
        """Whether there is a result for a seed."""

    def do(self, seed: int, epochs: int) -> None:
        """Train and measure it, and keep the result."""

    def values(self, seed: int, keys: Sequence[str]) -> dict[str, float]:
        """Its numbers in the columns in which it has any."""


class Bench(Protocol):
    """One comparison's data, and how its runs are trained and measured.

    settings: what later commands of the same comparison must agree on. about: data and settings in words. batch_size:
    of a step; steps_per_epoch: of all methods. notes: what the table's floors and ceiling are, a sentence each.
    sections: what the wing gives to the page.
    """

    settings: Mapping[str, Any]
    about: str
    batch_size: int
    steps_per_epoch: int
    notes: Sequence[str]
    ceiling: Ceiling | None
    sections: Sections

    def train(self, entry: Entry, seed: int, folder: Path, steps: int | None) -> None:
        """Train to the end, going on where the folder's run stopped; steps: the budget, where it was in minutes."""

    def rehearse(self, entry: Entry, folder: Path, steps: int, log_every: int) -> None:
        """A short run that measures nothing, to be timed."""

    def is_trained(self, folder: Path) -> bool:
        """Whether the run has come to its end."""

    def is_measured(self, folder: Path) -> bool:
        """Whether all that was asked for has been measured of it."""

    def measure(self, folder: Path, seed: int) -> None:
        """Measure a finished run, beside its floors, by what it lacks."""

    def results(self, folder: Path) -> list[Result]:
        """What was measured for the comparison."""

    def columns(self, keys: Sequence[str]) -> list[Column]:
        """The columns that were found, in the order of the table."""
