"""The kNN accuracy of a run, beside its floors and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twofold.page.facts import Verdict, is_floor_of, is_value, last
from twofold.page.read import Run
from twofold.page.sections import Cell, Tile
from twofold.page.words import against, percent
from twofold.runs.results import part

SHARED = "images in both"  # a condition of results: how many were to be learned from and asked about


def knn(run: Run, *, online: bool = False) -> tuple[float | None, dict[str, float]]:
    """The kNN accuracy of the run in 0..1, or None, and its floors (same metric, data and settings) by name.

    That of the last evaluation, rather of one without images that were learned from, too; with `online` that of the
    training's own check, whose entry is the first.
    """
    entries = [
        entry
        for entry in run.evaluation
        if "knn" in str(entry.get("protocol", "")).lower()
        and entry.get("metric") != "balanced"
        and is_value(entry.get("value"))
    ]
    results = [entry for entry in entries if not entry.get("floor")]
    apart = [entry for entry in results if not part(entry, "conditions").get(SHARED)]
    asked = (results or entries or [{}])[0] if online else (apart or results or entries or [{}])[-1]
    floors = {str(e.get("name", "floor")): float(e["value"]) for e in entries if is_floor_of(e, asked)}
    value = last(run.metrics, "knn") if online or not results else float(asked["value"])
    return value, floors


def floors_at_the_end(run: Run, protocol: str) -> dict[str, float]:
    """The floors of what the run itself measured by a protocol at its end, by name."""
    entries = [e for e in run.evaluation if e.get("protocol") == protocol and is_value(e.get("value"))]
    own = [e for e in entries if isinstance(e.get("conditions"), dict) and "measured" in e["conditions"]]
    asked = next((e for e in own if not e.get("floor")), {})
    return {str(e.get("name", "floor")): float(e["value"]) for e in own if is_floor_of(e, asked)}


def shared_floors(runs: Iterable[Run]) -> dict[str, float]:
    """The floors of the training's own check on which all runs that measured them agree: one holds for one data set."""
    found: dict[str, set[float]] = {}
    for run in runs:
        for name, value in knn(run, online=True)[1].items():
            found.setdefault(name, set()).add(round(value, 4))
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def gain(run: Run) -> Verdict | None:
    """A warning where the kNN accuracy does not beat its floors; None where it does or either is missing."""
    value, floors = knn(run)
    highest = max(floors, key=lambda name: floors[name], default=None)
    if value is None or highest is None or value > floors[highest]:
        return None
    stands = f"{percent(value)} against {percent(floors[highest])}"
    return Verdict("warn", "no gain", f"kNN does not beat {highest} ({stands}): nothing that helps was learned yet.")


def tiles(run: Run) -> list[Tile]:
    """The accuracy in large beside its best floor; nothing where it was not measured."""
    value, floors = knn(run)
    if value is None:
        return []
    best = max(floors, key=lambda name: floors[name], default=None)
    beside = against(value, best, floors[best]) if best else "no floor was measured"
    return [Tile("kNN accuracy", percent(value), beside)]


def cells(runs: Sequence[Run]) -> list[Cell]:
    """The accuracy of each run, for the table of all."""
    measured = [knn(run) for run in runs]
    best = max((value for value, _ in measured if value is not None), default=None)
    return [_cell(value, floors, best) for value, floors in measured]


def _cell(value: float | None, floors: dict[str, float], best: float | None) -> Cell:
    if value is None:
        return Cell("—")
    beside = against(value, "its floor", max(floors.values())) if floors else ""
    return Cell(percent(value), beside, value == best)
