"""What a run on interactions measured, in words: its ranking of all items beside the floors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from twofold.page.evaluation import differing
from twofold.page.facts import Verdict, is_value, last
from twofold.page.read import Run
from twofold.runs.results import circumstances

FIRST = ("recall@20", "ndcg@20")  # What matters most in such a run; the first decides which epoch is the best.
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
    """What was measured on one data set, by protocol and metric: the run's values, and those of each floor by name.

    how: what tells it apart from other measurements of the run, in words, if anything.
    """

    data: str
    how: str = ""
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    floors: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)

    def best_floor(self, metric: str, protocol: str = "ranking") -> tuple[str, float] | None:
        """Name and value of the highest floor of a metric, the first of equal ones."""
        floors = {
            name: values[protocol, metric] for name, values in self.floors.items() if (protocol, metric) in values
        }
        return max(floors.items(), key=lambda floor: floor[1], default=None)

    def groups(self, name: str | None = None) -> dict[int, float]:
        """What each long-tail group gives to Recall@20, by number: the run's, or a floor's by name."""
        values = self.values if name is None else self.floors.get(name, {})
        found = {
            _GROUP.fullmatch(metric): value for (protocol, metric), value in values.items() if protocol == "long tail"
        }
        return dict(sorted((int(match[1]), value) for match, value in found.items() if match))


@dataclass(frozen=True)
class MetricCell:
    """A run's value, the highest floor in words or "", and whether the run beats it: None where neither does."""

    value: str
    floor: str
    good: bool | None


@dataclass(frozen=True)
class MetricRow:
    """A metric at several lengths; a cell is None where it was not measured."""

    name: str
    meaning: str
    cells: list[MetricCell | None]


def measured(run: Run) -> list[Measured]:
    """The measurements of a run, a record for each data set and way; those of the run's own data first, the newest of
    them before the others. Of repeated ones the last counts."""
    found: dict[str, Measured] = {}
    rankings = [e for e in run.evaluation if e.get("protocol") == "ranking" and not e.get("floor")]
    for entry in run.evaluation:
        if not is_value(entry.get("value")):
            continue
        data = str(entry.get("data", ""))
        alike = [other for other in rankings if other.get("metric") == entry.get("metric")]
        how = ", ".join(differing(entry, [other for other in alike if other.get("data") == entry.get("data")]))
        record = found.setdefault(json.dumps(circumstances(entry), sort_keys=True), Measured(data))
        record.how = record.how or how
        floor = record.floors.setdefault(str(entry.get("name", "floor")), {}) if entry.get("floor") else record.values
        floor[str(entry.get("protocol", "")), str(entry.get("metric", ""))] = float(entry["value"])
    records = [record for record in found.values() if record.values]
    own = [record for record in records if record.data == str(run.config.get("data"))]
    return [*reversed(own), *(record for record in records if record not in own)]


def four_decimals(value: float) -> str:
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
    return f"{floor[0]} {four_decimals(floor[1])}{gained}"


def gain(run: Run) -> Verdict | None:
    """A warning where Recall@20 of the test part does not beat its floors; None where it does or was not measured."""
    for record in measured(run)[:1]:
        value, floor = record.values.get(("ranking", FIRST[0])), record.best_floor(FIRST[0])
        if value is not None and floor is not None and value <= floor[1]:
            stands = f"{four_decimals(value)} against {four_decimals(floor[1])}"
            return Verdict("warn", "no gain", f"{titled(FIRST[0])} does not beat {floor[0]} ({stands}).")
    return None


def best_epoch(run: Run) -> int | None:
    """The epoch whose tables were kept, or None where no validation chose one."""
    epoch = last(run.metrics, "best_epoch")
    return int(epoch) if epoch is not None and is_value(epoch) else None


def metric_rows(record: Measured, ks: list[int]) -> list[MetricRow]:
    """The ranking metrics of a data set at the lengths `ks`, a row each."""
    names = dict.fromkeys(match[1] for match in _lengths(record))
    return [MetricRow(TITLES.get(n, n), _MEANING.get(n, ""), [_cell(record, f"{n}@{k}") for k in ks]) for n in names]


def lengths(record: Measured) -> list[int]:
    """The lengths K of the lists that were measured, rising."""
    return sorted({int(match[2]) for match in _lengths(record)})


def apart(record: Measured) -> list[str]:
    """A sentence for each further protocol, such as the users whom training has not seen."""
    found: dict[str, list[str]] = {}
    for (protocol, metric), value in record.values.items():
        if protocol not in ("ranking", "long tail"):
            words = f"{titled(metric)} {four_decimals(value)} ({beside(value, record.best_floor(metric, protocol))})"
            found.setdefault(protocol, []).append(words)
    return [f"{protocol}: {'; '.join(numbers)}." for protocol, numbers in found.items()]


def _lengths(record: Measured) -> list[re.Match[str]]:
    found = [_AT.fullmatch(metric) for protocol, metric in record.values if protocol == "ranking"]
    return [match for match in found if match]


def _cell(record: Measured, metric: str) -> MetricCell | None:
    value, floor = record.values.get(("ranking", metric)), record.best_floor(metric)
    if value is None:
        return None
    good = None if floor is None or value == floor[1] else value > floor[1]
    return MetricCell(four_decimals(value), f"{floor[0]} {four_decimals(floor[1])}" if floor else "", good)
