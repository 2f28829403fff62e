"""All that the page shows of a run on interactions, and of several side by side, ready for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.page import facts, ranking
from twofold.page.ranking import FIRST, Measured, share, titled
from twofold.page.ranking_curves import ranking_charts
from twofold.page.read import Run


def ranking_view(run: Run, index: int, part: float) -> dict[str, Any]:
    """The template's context of `run`, the page's `index`-th, beside what all runs have; `part`: as for `run_view`."""
    held = "test pairs" if run.config.get("select_on") == "test" else "validation pairs"
    shown, folded = _named(ranking_charts({run.name: (index, run.metrics)}, held, part), f"run{index}")
    records = ranking.measured(run)
    bars = [ranking.tail_bars(f"run{index}-tail{n}", {run.name: (index, record)}) for n, record in enumerate(records)]
    tables = [
        {"data": record.data, **ranking.by_length(record), "apart": ranking.apart(record), "bars": drawn}
        for record, drawn in zip(records, bars, strict=True)
    ]
    return {
        "ranked": {"tables": tables, "samples": run.samples},
        "collapse": None,
        "gain": ranking.gain(run),
        "tiles": _tiles(run, records, held),
        "charts": [*shown, *folded],
        "shown": shown,
        "folded": folded,
        "bars": [drawn for drawn in bars if drawn],
        "unmeasured": _unmeasured(run),
        "map": None,
        "sheet": None,
    }


def ranked_overview(runs: Sequence[tuple[int, str, Run]], part: float) -> dict[str, Any]:
    """The table of all runs on interactions (number on the page, name, run), their long tails and curves together."""
    first = {index: next(iter(ranking.measured(run)), None) for index, _, run in runs}
    tails: dict[str, dict[str, tuple[int, Measured]]] = {}
    for index, name, _ in runs:
        record = first[index]
        if record:
            tails.setdefault(record.data, {})[name] = (index, record)
    bars = [(data, ranking.tail_bars(f"all-tail{n}", sides)) for n, (data, sides) in enumerate(tails.items())]
    curves = ranking_charts({name: (index, run.metrics) for index, name, run in runs}, "held-out pairs", part)
    shown, folded = _named(curves, "ranked")
    return {
        "rows": [_row(index, name, run, first) for index, name, run in runs],
        "tails": [{"data": data, "bars": drawn} for data, drawn in bars if drawn],
        "bars": [drawn for _, drawn in bars if drawn],
        "charts": [*shown, *folded],
        "shown": shown,
        "folded": folded,
    }


def _named(charts: tuple[list[dict[str, Any]], ...], prefix: str) -> tuple[list[dict[str, Any]], ...]:
    for made in (made for part in charts for made in part):
        made["id"] = f"{prefix}-{made['column']}"
    return charts


def _row(index: int, name: str, run: Run, first: Mapping[int, Measured | None]) -> dict[str, Any]:
    record = first[index]
    cells = []
    for metric in FIRST:
        value = _value(record, metric)
        rivals = [_value(other, metric) for other in first.values() if other and record and other.data == record.data]
        best = value is not None and value == max(rival for rival in rivals if rival is not None)
        told = ranking.beside(value, record.best_floor(metric)) if value is not None and record else ""
        cells.append({"value": "—" if value is None else share(value), "beside": told, "best": best})
    epoch, speed = ranking.best_epoch(run), facts.median(run, "triples_per_second")
    seconds = facts.last(run.metrics, "seconds")
    return {
        "index": index,
        "name": name,
        "cells": cells,
        "epoch": "—" if epoch is None else str(epoch),
        "speed": "—" if speed is None else facts.number(speed),
        "duration": "—" if seconds is None else facts.duration(seconds),
        "outcome": facts.outcome(run),
    }


def _value(record: Measured | None, metric: str) -> float | None:
    return record.values.get(("ranking", metric)) if record else None


def _tiles(run: Run, records: Sequence[Measured], held: str) -> list[dict[str, str]]:
    tiles = []
    for metric in FIRST:
        value = _value(records[0], metric) if records else None
        if value is not None:
            told = ranking.beside(value, records[0].best_floor(metric))
            tiles.append({"label": f"{titled(metric)}, test", "value": share(value), "beside": told})
    epoch, reached = ranking.best_epoch(run), facts.last(run.metrics, "epoch")
    if epoch is not None and reached is not None:
        told = f"of {facts.number(reached)}, by {titled(FIRST[0])} on {held}"
        tiles.append({"label": "Best epoch", "value": str(epoch), "beside": told})
    speed, seconds = facts.median(run, "triples_per_second"), facts.last(run.metrics, "seconds")
    if speed is not None:
        tiles.append({"label": "Triples a second", "value": facts.number(speed), "beside": "median over the run"})
    if seconds is not None:
        step = facts.last(run.metrics, "step") or 0
        tiles.append({"label": "Duration", "value": facts.duration(seconds), "beside": f"{step:,.0f} steps"})
    return tiles


def _unmeasured(run: Run) -> list[str]:
    if facts.is_formula(run):
        return ["The method is not trained: there are no curves to draw."]
    if not run.metrics:
        return ["No metrics were logged: there are no curves to draw."]
    if not any(FIRST[0] in row for row in run.metrics):
        return [
            "Nothing was ranked while the run went on: there was no validation part, or its first epoch never ended."
        ]
    return []
