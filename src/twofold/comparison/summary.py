"""From what was measured to the table: means over seeds, 95 % intervals, differences to the first method by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twofold.comparison.doing import Comparison
from twofold.evaluation.intervals import mean_interval
from twofold.page import read_run

Values = dict[str, dict[int, float]]  # column -> seed -> value


def summarise(comparison: Comparison) -> dict[str, Any]:
    """{"columns", "rows"}: plain values, ready for JSON.

    A column: the fields of `bench.Column`. A row: {"name", "kind" ("method", "floor" or "ceiling"), "reconstruction",
    "trained", "seeds", "failed" (seed -> reason), "numbers" (key -> {"mean", "half", "values", "difference"}),
    "ms_per_step", "minutes"}; `half` is half the interval, None for one seed; `difference` {"mean", "half"} is to the
    first row, over the seeds that both have.
    """
    bench, out, seeds = comparison.bench, comparison.folder.path, comparison.seeds
    found: dict[str, Values] = {entry.name: {} for entry in comparison.entries}
    floors: dict[str, Values] = {}
    for seed in seeds:
        for entry in comparison.entries:
            for result in bench.results(out / entry.folder(seed)):
                if not math.isfinite(result.value):
                    continue
                place = floors.setdefault(result.name, {}) if result.floor else found[entry.name]
                # A floor is that of the first method that has it: it is the same for all, but for details of input.
                place.setdefault(result.key, {}).setdefault(seed, result.value)
    columns = bench.columns(list(dict.fromkeys(key for values in found.values() for key in values)))
    keys = [column.key for column in columns]
    ceiling = _ceiling(comparison, keys)
    rows = [_row(entry.name, "method", found[entry.name]) for entry in comparison.entries]
    for row, entry in zip(rows, comparison.entries, strict=True):
        row |= {"reconstruction": entry.composition.reconstruction, "trained": entry.composition.trained}
        row["failed"] = {str(seed): why for (name, seed), why in comparison.failures.items() if name == entry.name}
        row |= _cost([out / entry.folder(seed) for seed in seeds], bench.batch_size)
    rows += [_row(name, "floor", values) for name, values in floors.items()]
    rows += [_row(bench.ceiling.name, "ceiling", ceiling)] if bench.ceiling is not None and ceiling else []
    sides = [*found.values(), *floors.values(), *([ceiling] if ceiling else [])]
    first, others = sides[0], sides[1:]
    for row, values in zip(rows[1:], others, strict=True):
        for key, number in row["numbers"].items():
            number["difference"] = _difference(values[key], first.get(key, {}))
    return {"columns": [asdict(column) for column in columns], "rows": rows}


def _ceiling(comparison: Comparison, keys: Sequence[str]) -> Values:
    values: Values = {}
    for seed in comparison.seeds if comparison.bench.ceiling is not None else ():
        assert comparison.bench.ceiling is not None
        for key, value in comparison.bench.ceiling.values(seed, keys).items():
            values.setdefault(key, {})[seed] = value
    return values


def _row(name: str, kind: str, values: Values) -> dict[str, Any]:
    numbers = {}
    for key, by_seed in values.items():
        mean, half = mean_interval(list(by_seed.values()))
        numbers[key] = {"mean": mean, "half": half, "values": {str(s): v for s, v in sorted(by_seed.items())}}
    seeds = sorted({seed for by_seed in values.values() for seed in by_seed})
    return {"name": name, "kind": kind, "seeds": seeds, "failed": {}, "numbers": numbers}


def _difference(values: Mapping[int, float], first: Mapping[int, float]) -> dict[str, float | None] | None:
    both = [values[seed] - first[seed] for seed in sorted(values.keys() & first.keys())]
    if not both:
        return None
    mean, half = mean_interval(both)
    return {"mean": mean, "half": half}


def _cost(folders: list[Path], batch_size: int) -> dict[str, float | None]:
    """ms of a step (the median interval of metrics.csv) and minutes of training, means over the runs there are."""
    steps, minutes = [], []
    for folder in folders:
        if not (folder / "metrics.csv").is_file():
            continue
        rows = read_run(folder).metrics
        speeds = sorted(speed for row in rows if (speed := _speed(row)) > 0)
        if speeds:
            steps.append(1000 * batch_size / speeds[len(speeds) // 2])
            minutes.append(rows[-1]["seconds"] / 60)
    mean = {name: sum(values) / len(values) if values else None for name, values in (("s", steps), ("m", minutes))}
    return {"ms_per_step": mean["s"], "minutes": mean["m"]}


def _speed(row: Mapping[str, float]) -> float:
    """Things a second, whatever they are."""
    return next((value for name, value in row.items() if name.endswith("_per_second")), 0.0)
