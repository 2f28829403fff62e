"""What a run on interactions measured, in words: its ranking of all items beside the floors, and the long tail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twofold.page.facts import Verdict, is_value, last
from twofold.page.read import Run
from twofold.catalog import SYSTEMS

FIRST = ("recall@20", "ndcg@20")  # What is asked of such a run before all else; an epoch is the best by the first.
TITLES = {"recall": "Recall", "ndcg": "NDCG", "precision": "Precision", "map": "MAP", "mrr": "MRR", "hit": "Hit rate"}
_MEANING = {
    "recall": "share of a user's held-out items among the first K",
    "ndcg": "the same hits, worth more the higher they stand",
    "precision": "share of the first K that are held-out items",
    "map": "mean precision at the ranks of the hits",
    "mrr": "one over the rank of the first hit",
    "hit": "share of users with any hit",
}
_AT = re.compile(r"(.+)@(\d{1,9})")
_GROUP = re.compile(r"group (\d{1,9})")


@dataclass
class Measured:
    """What was measured on one data set, by protocol and metric: the run's values, and those of each floor by name."""

    data: str
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    floors: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)

    def best_floor(self, metric: str, protocol: str = "ranking") -> tuple[str, float] | None:
        """Name and value of the highest floor of a metric, the first of equal ones."""
        held = {name: values[protocol, metric] for name, values in self.floors.items() if (protocol, metric) in values}
        return max(held.items(), key=lambda floor: floor[1], default=None)

    def groups(self, name: str | None = None) -> dict[int, float]:
        """What each long-tail group gives to Recall@20, by number: the run's, or a floor's by name."""
        held = self.values if name is None else self.floors.get(name, {})
        found = {
            _GROUP.fullmatch(metric): value for (protocol, metric), value in held.items() if protocol == "long tail"
        }
        return dict(sorted((int(match[1]), value) for match, value in found.items() if match))


def ranks(run: Run) -> bool:
    """Whether a run learned from interactions, by its method or by what it measured."""
    system = SYSTEMS.get(str(run.config.get("method")))
    return (
        (system is not None and system.kind == "interactions")
        or any(FIRST[0] in row for row in run.metrics)
        or any(entry.get("protocol") == "ranking" for entry in run.evaluation)
    )


def measured(run: Run) -> list[Measured]:
    """The measurements of a run, a record a data set, the run's own data first; of repeated ones the last counts."""
    found: dict[str, Measured] = {}
    for entry in run.evaluation:
        if not is_value(entry.get("value")):
            continue
        data = str(entry.get("data", ""))
        record = found.setdefault(data, Measured(data))
        floor = record.floors.setdefault(str(entry.get("name", "floor")), {}) if entry.get("floor") else record.values
        floor[str(entry.get("protocol", "")), str(entry.get("metric", ""))] = float(entry["value"])
    own = str(run.config.get("data"))
    return sorted((record for record in found.values() if record.values), key=lambda record: record.data != own)


def share(value: float) -> str:
    """A metric in 0..1 with four decimals, as papers print it."""
    return f"{value:.4f}"


def titled(metric: str) -> str:
    """recall@20 as Recall@20; other names as they are."""
    match = _AT.fullmatch(metric)
    return f"{TITLES.get(match[1], match[1])}@{match[2]}" if match else metric


def beside(value: float, floor: tuple[str, float] | None) -> str:
    """How a value stands against a floor, in words."""
    if floor is None:
        return "no floor was measured"
    gained = f", {100 * (value / floor[1] - 1):+.1f}\u00a0%".replace("-", "−") if floor[1] > 0 else ""
    return f"{floor[0]} {share(floor[1])}{gained}"


def gain(run: Run) -> Verdict | None:
    """A warning where Recall@20 of the test part does not beat its floors; None where it does or was not measured."""
    for record in measured(run)[:1]:
        value, floor = record.values.get(("ranking", FIRST[0])), record.best_floor(FIRST[0])
        if value is not None and floor is not None and value <= floor[1]:
            stands = f"{share(value)} against {share(floor[1])}"
            return Verdict("warn", "no gain", f"{titled(FIRST[0])} does not beat {floor[0]} ({stands}).")
    return None


def best_epoch(run: Run) -> int | None:
    """The epoch whose tables were kept, or None where no validation chose one."""
    told = last(run.metrics, "best_epoch")
    return int(told) if told is not None and is_value(told) else None


def by_length(record: Measured) -> dict[str, Any]:
    """Ranking metrics as a table: `ks`, the lengths K, and `rows`, each {name, meaning, cells}, where a cell is None or
    {value, floor, good}: the run's value, the highest floor in words or "", and whether the run beats it, None where
    they are equal or there is no floor."""
    split = {metric: _AT.fullmatch(metric) for protocol, metric in record.values if protocol == "ranking"}
    ks = sorted({int(match[2]) for match in split.values() if match})
    names = list(dict.fromkeys(match[1] for match in split.values() if match))
    cells = {name: [_cell(record, f"{name}@{k}") for k in ks] for name in names}
    rows = [{"name": TITLES.get(n, n), "meaning": _MEANING.get(n, ""), "cells": cells[n]} for n in names]
    return {"ks": ks, "rows": rows}


def apart(record: Measured) -> list[str]:
    """A sentence for each further protocol, such as the users whom training has not seen."""
    said: dict[str, list[str]] = {}
    for (protocol, metric), value in record.values.items():
        if protocol not in ("ranking", "long tail"):
            told = f"{titled(metric)} {share(value)} ({beside(value, record.best_floor(metric, protocol))})"
            said.setdefault(protocol, []).append(told)
    return [f"{protocol}: {'; '.join(numbers)}." for protocol, numbers in said.items()]


def _cell(record: Measured, metric: str) -> dict[str, Any] | None:
    value, floor = record.values.get(("ranking", metric)), record.best_floor(metric)
    if value is None:
        return None
    told = f"{floor[0]} {share(floor[1])}" if floor else ""
    return {
        "value": share(value),
        "floor": told,
        "good": None if floor is None or value == floor[1] else value > floor[1],
    }


def tail_bars(name: str, sides: Mapping[str, tuple[int, Measured]]) -> dict[str, Any] | None:
    """The long tail as grouped bars, as the script draws them, under the id `name`; None where nobody measured it.

    sides: of each run by name, its number on the page and what it measured. Floors stand where all runs agree on them.
    """
    runs = [(run, index, record.groups()) for run, (index, record) in sides.items()]
    groups = sorted({group for _, _, values in runs for group in values})
    if not groups:
        return None
    series = [_bars(run, values, groups) | {"colour": index} for run, index, values in runs]
    records = [record for _, record in sides.values()]
    for floor in dict.fromkeys(floor for record in records for floor in record.floors):
        told = [_bars(floor, record.groups(floor), groups) for record in records if record.groups(floor)]
        series += told[:1] if all(bars == told[0] for bars in told) else []
    return {"id": name, "groups": [str(group) for group in groups], "series": series}


def _bars(name: str, values: Mapping[int, float], groups: list[int]) -> dict[str, Any]:
    return {"name": name, "values": [round(values[group], 6) if group in values else None for group in groups]}
