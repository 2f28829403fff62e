"""From what was measured to the table: means over seeds, 95 % intervals, differences to the first method by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.evaluation.intervals import mean_interval
from twofold.images.jobs.comparison.entries import Entry
from twofold.images.jobs.comparison.runs import WITHOUT_LABELS, measured
from twofold.images.jobs.comparison.supervised import read_supervised, result_file
from twofold.images.jobs.evaluate import PIXELS, UNTRAINED
from twofold.page import read_run

SUPERVISED = "supervised"
Values = dict[str, dict[int, float]]  # column -> seed -> value


def summarise(
    out: Path,
    entries: list[Entry],
    seeds: list[int],
    protocols: list[str],
    failures: Mapping[tuple[str, int], str],
    *,
    supervised: bool,
    batch_size: int,
) -> dict[str, Any]:
    """{"columns", "rows", "meanings"}: plain values, ready for JSON.

    A column: {"key", "unit" ("percent" or "number"), "main"}. A row: {"name", "kind" ("method", "floor" or "ceiling"),
    "seeds", "failed" (seed -> reason), "numbers" (key -> {"mean", "half", "values", "difference"}), "ms_per_step",
    "minutes"}; `half` is half the interval, None for one seed; `difference` {"mean", "half"} is to the first row, over
    the seeds that both have. meanings: what the floors and the ceiling are, a sentence each.
    """
    found: dict[str, Values] = {entry.name: {} for entry in entries}
    floors: dict[str, Values] = {PIXELS: {}, UNTRAINED: {}}
    for seed in seeds:
        for entry in entries:
            for row in measured(out / entry.folder(seed)):
                if row["protocol"] not in (*protocols, *WITHOUT_LABELS) or not math.isfinite(row["value"]):
                    continue
                place = floors[row["name"]] if row["floor"] else found[entry.name]
                # A floor is that of the first method that has it: all have the same, but for the pixels' normalisation.
                place.setdefault(_key(row), {}).setdefault(seed, row["value"])
    columns = _columns(found, protocols)
    ceiling = _ceiling(out, seeds, columns) if supervised else {}
    rows = [_row(entry.name, "method", found[entry.name]) for entry in entries]
    for row, entry in zip(rows, entries, strict=True):
        row["failed"] = {str(seed): why for (name, seed), why in failures.items() if name == entry.name}
        row |= _cost([out / entry.folder(seed) for seed in seeds], batch_size)
    rows += [_row(name, "floor", values) for name, values in floors.items() if values]
    rows += [_row(SUPERVISED, "ceiling", ceiling)] if ceiling else []
    first = found[entries[0].name]
    for row, values in zip(rows[1:], [*list(found.values())[1:], *_rest(floors, ceiling)], strict=True):
        for key, number in row["numbers"].items():
            number["difference"] = _difference(values[key], first.get(key, {}))
    return {"columns": columns, "rows": rows, "meanings": meanings(rows)}


def meanings(rows: list[dict[str, Any]]) -> dict[str, str]:
    """What the floors and the ceiling among the rows are, a sentence each, by their kind."""
    pixels = "raw pixels and " if any(row["name"] == PIXELS for row in rows) else ""
    return {
        "floor": f"Floors: what {pixels}the same network with random weights {'give' if pixels else 'gives'}.",
        "ceiling": "Supervised: the same network trained with all labels for as many epochs, and its own classifier.",
    }


def _rest(floors: dict[str, Values], ceiling: Values) -> list[Values]:
    return [*(values for values in floors.values() if values), *([ceiling] if ceiling else [])]


def _key(row: Mapping[str, Any]) -> str:
    protocol = str(row["protocol"])
    return protocol if protocol in WITHOUT_LABELS else f"{protocol} {row['metric']}"


def _columns(found: Mapping[str, Values], protocols: list[str]) -> list[dict[str, Any]]:
    keys = list(dict.fromkeys(key for values in found.values() for key in values))
    order = [*protocols, *WITHOUT_LABELS]
    keys.sort(key=lambda key: order.index(key if key in WITHOUT_LABELS else key.split()[0]))
    return [
        {
            "key": key,
            "unit": "number" if key == "effective rank" else "percent",
            "main": key.endswith("top1") or key in WITHOUT_LABELS,
        }
        for key in keys
    ]


def _ceiling(out: Path, seeds: list[int], columns: list[dict[str, Any]]) -> Values:
    """The supervised network's own accuracy, in every column of the same metric."""
    values: Values = {}
    for seed in seeds:
        result = read_supervised(result_file(out, seed)) or {}
        for column in columns:
            metric = column["key"].split()[-1]
            if column["key"] not in WITHOUT_LABELS and metric in result:
                values.setdefault(column["key"], {})[seed] = float(result[metric])
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
        speeds = sorted(row["images_per_second"] for row in rows if row.get("images_per_second", 0) > 0)
        if speeds:
            steps.append(1000 * batch_size / speeds[len(speeds) // 2])
            minutes.append(rows[-1]["seconds"] / 60)
    mean = {name: sum(values) / len(values) if values else None for name, values in (("s", steps), ("m", minutes))}
    return {"ms_per_step": mean["s"], "minutes": mean["m"]}
