"""All that the page shows of one run, ready for the template; what is missing is named in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twofold.page import facts
from twofold.page.charts import Charts, charts_of_one
from twofold.page.columns import speed
from twofold.page.evaluation import evaluation_rows
from twofold.page.facts import Verdict
from twofold.page.read import Run
from twofold.page.sections import Data, Numbered, Parts, Section, Sections, Tile
from twofold.page.words import Noun, duration, number, percent

_SHOWN_UNREADABLE, _SHOWN_LOG = 200, 200
_NO_CURVES = "there are no curves to draw."


@dataclass(frozen=True)
class Unreadable:
    """What could not be read: its noun, how many in words, the first lines, and how many more there are."""

    noun: Noun
    counted: str
    lines: Sequence[str]
    more: int


@dataclass(frozen=True)
class RunView:
    """The template's view of one run: words, numbers, charts, and sections that are yet to be rendered."""

    index: int
    name: str
    subtitle: str
    started: str
    verdicts: Sequence[Verdict]
    notes: Sequence[str]
    tiles: Sequence[Tile]
    charts: Charts
    remarks: Sequence[str]
    sections: Sequence[Section]
    config: Sequence[tuple[str, str]]
    environment: Sequence[tuple[str, str]]
    log: Sequence[str]
    unreadable: Unreadable | None
    style: str
    data: Data


def run_view(numbered: Numbered, sections: Sections, room: float) -> RunView:
    """The view of a run on a page where each may have the part `room` (0..1] of the points and pictures of its own."""
    run, parts = numbered.run, sections.one(numbered, room)
    charts = charts_of_one(numbered, parts.columns, room, f"run{numbered.index}")
    evaluation = Section("evaluation", "Evaluation", "evaluation.html", evaluation_rows(run), "Evaluation")
    return RunView(
        index=numbered.index,
        name=numbered.name,
        subtitle=subtitle(run, sections),
        started=started(run),
        verdicts=[facts.outcome(run, sections.learned), *parts.verdicts],
        notes=[*run.notes, *parts.notes],
        tiles=[*parts.tiles, *_tiles(run, sections.unit, parts)],
        charts=charts,
        remarks=_remarks(run, charts, parts),
        sections=[parts.evaluation or evaluation, *parts.sections],
        config=[(key, _setting(value)) for key, value in run.config.items()],
        environment=[(key, _setting(value)) for key, value in run.environment.items()],
        log=run.log[-_SHOWN_LOG:],
        unreadable=_unreadable(run, sections.unreadable) if sections.unreadable else None,
        style=parts.style,
        data=parts.data,
    )


def subtitle(run: Run, sections: Sections) -> str:
    """Method, data and scale of the run, as far as the settings name them."""
    method = str(run.config.get("method", "unnamed method"))
    title = f"{method} (a reconstruction)" if sections.reconstructed(method) else method
    head = f"{title} on {run.config.get('data', 'unnamed data')}"
    return " · ".join([head, *(part for part in sections.scale(run) if part)])


def started(run: Run) -> str:
    """When the run was started by its environment.json, or else when its settings were written."""
    stated = next((str(run.environment[key]) for key in ("started", "date", "time") if run.environment.get(key)), None)
    return (stated or run.written.isoformat(sep=" ", timespec="minutes"))[:16].replace("T", " ")


def _tiles(run: Run, unit: Noun, parts: Parts) -> list[Tile]:
    tiles, column = [], speed(unit)
    rate, seconds = facts.median(run, column.name), facts.last(run.metrics, "seconds")
    wait = None if "wait_share" in parts.columns.undrawn else facts.median(run, "wait_share")
    if rate is not None:
        beside = "median over the run" if wait is None else f"{percent(wait)} waiting for data"
        tiles.append(Tile(column.title, number(rate), beside))
    if seconds is not None:
        step = facts.last(run.metrics, "step") or 0
        tiles.append(Tile("Duration", duration(seconds), f"{step:,.0f} steps"))
    return tiles


def _remarks(run: Run, charts: Charts, parts: Parts) -> list[str]:
    if run.ended == "untrained":
        return [f"The method is not trained: {_NO_CURVES}"]
    if not run.metrics:
        return [f"No metrics were logged: {_NO_CURVES}"]
    drawn = {chart.column for chart in charts}
    columns = [*parts.columns.shown, *parts.columns.folded]
    missing = [column.missing for column in columns if column.missing and column.name not in drawn]
    return [*missing, *parts.remarks]


def _unreadable(run: Run, noun: Noun) -> Unreadable:
    count = len(run.unreadable)
    lines = run.unreadable[:_SHOWN_UNREADABLE]
    return Unreadable(noun, noun.counted(count), lines, count - len(lines))


def _setting(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "—"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
