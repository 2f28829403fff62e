"""Several runs side by side: a table for each wing, the settings in which they differ, their curves together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twofold.page import facts
from twofold.page.charts import Charts, charts_of_all
from twofold.page.columns import speed
from twofold.page.facts import Verdict
from twofold.page.run_view import subtitle
from twofold.page.sections import Cell, Data, Numbered, Section, Sections, Together
from twofold.page.words import duration, number_or_dash


@dataclass(frozen=True)
class TableRow:
    """A run in the table."""

    index: int
    name: str
    subtitle: str
    cells: Sequence[Cell]
    verdicts: Sequence[Verdict]


@dataclass(frozen=True)
class Table:
    """The runs of a wing: titles of the columns of numbers and of verdicts, and a row for each run."""

    numbers: Sequence[str]
    judged: Sequence[str]
    rows: Sequence[TableRow]


@dataclass(frozen=True)
class Group:
    """The runs of a wing together; the sections are yet to be rendered."""

    wing: Sections
    table: Table
    charts: Charts
    sections: Sequence[Section]
    data: Data


@dataclass(frozen=True)
class Overview:
    """All runs together. differences: a setting, and its value in each run."""

    names: Sequence[str]
    groups: Sequence[Group]
    differences: Sequence[tuple[str, Sequence[str]]]


def overview_of(runs: Sequence[Numbered], sections: Sequence[Sections], room: float) -> Overview:
    """The overview of runs and the sections of each; `room` as for `run_view`."""
    wings = sorted({wing.name: wing for wing in sections}.values(), key=lambda wing: wing.name)
    own = {wing.name: [run for run, its in zip(runs, sections, strict=True) if its.name == wing.name] for wing in wings}
    settings = [its.settings(run.run) for run, its in zip(runs, sections, strict=True)]
    return Overview(
        names=[run.name for run in runs],
        groups=[_group(own[wing.name], wing, room) for wing in wings],
        differences=_differences(settings),
    )


def _group(runs: Sequence[Numbered], wing: Sections, room: float) -> Group:
    together = wing.several(runs, room)
    return Group(
        wing=wing,
        table=_table(runs, wing, together),
        charts=charts_of_all(runs, together.columns, room, wing.name),
        sections=together.sections,
        data=together.data,
    )


def _table(runs: Sequence[Numbered], wing: Sections, together: Together) -> Table:
    nothing: Sequence[Sequence[Any]] = [()] * len(runs)
    return Table(
        numbers=[*together.numbers, f"{wing.unit.many.capitalize()}/s", "Duration"],
        judged=["Outcome", *together.judged],
        rows=[
            TableRow(
                run.index,
                run.name,
                subtitle(run.run, wing),
                [*cells, *_costs(run, wing)],
                [facts.outcome(run.run, wing.learned), *verdicts],
            )
            for run, cells, verdicts in zip(runs, together.cells or nothing, together.verdicts or nothing, strict=True)
        ],
    )


def _costs(numbered: Numbered, wing: Sections) -> list[Cell]:
    run = numbered.run
    seconds = facts.last(run.metrics, "seconds")
    rate = facts.median(run, speed(wing.unit).name)
    return [Cell(number_or_dash(rate)), Cell("—" if seconds is None else duration(seconds))]


def _differences(settings: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    keys = list(dict.fromkeys(key for stored in settings for key in stored if key != "out"))
    table = [(key, [str(stored.get(key, "—")) for stored in settings]) for key in keys]
    return [(key, values) for key, values in table if len(set(values)) > 1]
