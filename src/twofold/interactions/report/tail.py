"""The long tail of runs on interactions as grouped bars, as the script draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold.interactions.report.ranking import Measured


def tail_bars(name: str, sides: Mapping[str, tuple[int, Measured]]) -> dict[str, Any] | None:
    """The long tail as grouped bars, as the script draws them, under the id `name`; None where no run has measured it.

    sides: of each run by name, its number on the page and what it measured. Floors stand where all runs agree on them.
    """
    runs = [(run, index, record.groups()) for run, (index, record) in sides.items()]
    groups = sorted({group for _, _, values in runs for group in values})
    if not groups:
        return None
    series = [_bars(run, values, groups) | {"colour": index} for run, index, values in runs]
    records = [record for _, record in sides.values()]
    for floor in dict.fromkeys(floor for record in records for floor in record.floors):
        stated = [_bars(floor, record.groups(floor), groups) for record in records if record.groups(floor)]
        series += stated[:1] if all(bars == stated[0] for bars in stated) else []
    return {"id": name, "groups": [str(group) for group in groups], "series": series}


def _bars(name: str, values: Mapping[int, float], groups: list[int]) -> dict[str, Any]:
    return {"name": name, "values": [round(values[group], 6) if group in values else None for group in groups]}
