"""What evaluation.json holds as the rows of a table: each number beside its floors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twofold.page.facts import is_floor_of, is_value, same_question
from twofold.page.read import Run
from twofold.page.words import number, percent, points
from twofold.runs.results import part


@dataclass(frozen=True)
class Floor:
    """What is reached without learning. gain: what the run has over it, in words. bar: 0..100, None where no bar."""

    name: str
    value: str
    gain: str
    good: bool
    bar: float | None


@dataclass(frozen=True)
class Row:
    """A measured number; the floors are those of the same question (`is_floor_of`). bar: 0..100, None where no bar."""

    protocol: str
    metric: str
    data: str
    settings: str
    value: str
    bar: float | None
    floors: list[Floor]


def evaluation_rows(run: Run) -> list[Row]:
    """A row for each measured number of the run, in their order."""
    results = [entry for entry in run.evaluation if not entry.get("floor")]
    floors = [entry for entry in run.evaluation if entry.get("floor") and is_value(entry.get("value"))]
    return [_row(entry, results, [floor for floor in floors if is_floor_of(floor, entry)]) for entry in results]


def _row(entry: Mapping[str, Any], results: list[dict[str, Any]], floors: list[dict[str, Any]]) -> Row:
    value = float(entry["value"]) if is_value(entry.get("value")) else math.nan
    is_part = 0 <= value <= 1 and not _unit(entry)
    rivals = {str(other.get("name")) for other in results if same_question(other, entry)}
    whose = [str(entry.get("name"))] if len(rivals) > 1 else []
    alike = [other for other in results if all(other.get(key) == entry.get(key) for key in ("protocol", "metric"))]
    words = percent(value) if is_part else number(value)
    return Row(
        protocol=_readable(entry.get("protocol", "")),
        metric=_readable(entry.get("metric", "")),
        data=str(entry.get("data", "")),
        settings=", ".join(whose + _settings(entry.get("settings")) + differing(entry, alike)),
        value=words + _unit(entry) if math.isfinite(value) else "not measured",
        bar=100 * value if is_part else None,
        floors=[_floor(floor, value, is_part) for floor in floors],
    )


def differing(entry: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """The conditions of an entry, a few words each, in which others of the same protocol and metric differ.

    Where one path has had several contents, the beginning of their fingerprints tells them apart.
    """
    own, marks = _conditions(entry), part(entry, "fingerprints")
    ways = [_conditions(other) for other in others]
    words = [f"{name} {value}" for name, value in own.items() if any(way.get(name) != value for way in ways)]
    for name, mark in marks.items():
        path = {"data": entry.get("data"), **own}.get(name)
        same = [other for other in others if {"data": other.get("data"), **_conditions(other)}.get(name) == path]
        if any(part(other, "fingerprints").get(name) != mark for other in same):
            words.append(f"{path} as of {str(mark)[:6]}")
    return words


def _conditions(entry: Mapping[str, Any]) -> dict[str, Any]:
    seed = {} if entry.get("seed") is None else {"seed": entry["seed"]}
    return {**part(entry, "conditions"), **seed}


def _readable(name: Any) -> str:
    words = re.sub(r"nn\b", "NN", str(name).replace("_", " "))
    return re.sub(r"\btop(\d)", r"top-\1", words)


def _settings(settings: Any) -> list[str]:
    if isinstance(settings, Mapping):
        return [f"{key} {value}" for key, value in settings.items()]
    return [str(settings)] if settings else []


def _floor(floor: Mapping[str, Any], value: float, is_part: bool) -> Floor:
    height = float(floor["value"])
    share = 0 <= height <= 1 and not _unit(floor)
    gain = (points(value - height) if is_part else f"{value - height:+.3g}") if math.isfinite(value) else ""
    return Floor(
        name=str(floor.get("name", "floor")),
        value=percent(height) if share else number(height) + _unit(floor),
        gain=gain,
        good=value < height if floor.get("lower_is_better") else value > height,
        bar=100 * height if share else None,
    )


def _unit(entry: Mapping[str, Any]) -> str:
    """What a number that is no share is counted in, with the space before it, or nothing."""
    unit = entry.get("unit")
    return f" {unit}" if isinstance(unit, str) else ""
