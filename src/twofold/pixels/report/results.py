"""Results of a measurement as a table of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def percent(metric: str, value: float) -> str:
    """A share as percent."""
    return f"{value:.1%}"


def table(rows: Sequence[Mapping[str, Any]], shown: Callable[[str, float], str] = percent) -> str:
    """Results as text: a line a protocol and metric, a column a model, floors last; under it how each was measured.

    shown: a number of a metric in words."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    values = {(row["protocol"], row["metric"], row["name"]): row["value"] for row in rows}
    lines = [["", *names]]
    for protocol, metric in dict.fromkeys((row["protocol"], row["metric"]) for row in rows):
        cells = [values.get((protocol, metric, name)) for name in names]
        lines.append([f"{protocol} {metric}", *("-" if cell is None else shown(metric, cell) for cell in cells)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(names) + 1)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    settings = {row["protocol"]: row["settings"] for row in rows if row["settings"]}
    return "\n".join([*text, *(f"{protocol}: {how}" for protocol, how in settings.items())])
