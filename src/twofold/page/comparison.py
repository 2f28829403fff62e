"""A comparison of methods as a table of words, as notes, and as dot plots with interval bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold.page.words import duration

# compare.json: "columns" and "rows" as `compare` summarises them, "meanings": what the floors and the ceiling are
Comparison = Mapping[str, Any]


def table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """(header, rows): a row a method, floor or ceiling; a column a number, mean ± half its 95 % interval."""
    columns, rows = comparison["columns"], comparison["rows"]
    header = ["", "seeds", *(_titled(column) for column in columns), "ms a step", "training"]
    lines = []
    for row in rows:
        cells = [_value(row["numbers"].get(column["key"]), column) for column in columns]
        lines.append([row["name"], _seeds(row, len(comparison["seeds"])), *cells, *_costs(row)])
    if any(row["failed"] for row in rows):
        header.append("")
        lines = [[*line, _failed(row)] for line, row in zip(lines, rows, strict=True)]
    return header, lines


def differences(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """(header, rows): each row's difference to the first, seed by seed, in the main columns; no rows for one method."""
    columns = [column for column in comparison["columns"] if column["main"]]
    first, *others = comparison["rows"]
    lines = [
        [row["name"], *(_signed(row["numbers"].get(column["key"], {}).get("difference"), column) for column in columns)]
        for row in others
        if row["numbers"]
    ]
    if not any(row["kind"] == "method" for row in others):
        lines = []
    return [f"minus {first['name']}", *(_titled(column) for column in columns)], lines


def notes(comparison: Comparison) -> list[str]:
    """Sentences that the table needs: what the intervals are, what the floors and the ceiling are, what failed."""
    seeds = len(comparison["seeds"])
    sentences = [
        f"Mean over {seeds} seeds ± half the 95 % t-interval; differences are taken seed by seed."
        if seeds > 1
        else "One seed: there are no intervals, and a difference may be chance."
    ]
    sentences += comparison.get("notes", [])
    if behind := _below_floors(comparison):
        sentences.append(f"Below a floor, so too little was learned: {'; '.join(behind)}.")
    for row in comparison["rows"]:
        if row.get("reconstruction"):
            sentences.append(f"{row['name']} is a reconstruction: its authors released no code.")
        sentences += [f"{row['name']}, seed {seed} failed: {reason}" for seed, reason in row["failed"].items()]
    return sentences


def comparison_view(comparison: Comparison) -> dict[str, Any]:
    """The template's context: `title`, `table`, `differences` (each header and rows), `notes`, and `dots`, the plots of
    the main columns as the script draws them."""
    return {
        "title": ", ".join(row["name"] for row in comparison["rows"] if row["kind"] == "method"),
        "subtitle": comparison["about"],
        "table": table(comparison),
        "differences": differences(comparison),
        "notes": notes(comparison),
        "dots": [
            _dots(comparison, column, f"dots{index}")
            for index, column in enumerate(column for column in comparison["columns"] if column["main"])
        ],
    }


def _below_floors(comparison: Comparison) -> list[str]:
    """The methods, and the ceiling, that measured less than a floor, with the columns where it is."""
    columns = [column["key"] for column in comparison["columns"] if column["main"] and column["floored"]]
    floors = [row["numbers"] for row in comparison["rows"] if row["kind"] == "floor"]
    found = []
    for row in comparison["rows"]:
        worse = [
            key
            for key in columns
            if row["kind"] != "floor"
            and row.get("trained", True)
            and key in row["numbers"]
            and any(key in floor and row["numbers"][key]["mean"] < floor[key]["mean"] for floor in floors)
        ]
        found += [f"{row['name']} ({', '.join(worse)})"] if worse else []
    return found


def _dots(comparison: Comparison, column: Mapping[str, Any], name: str) -> dict[str, Any]:
    scale = 100 if column["unit"] == "percent" else 1
    rows = []
    for row in comparison["rows"]:
        number = row["numbers"].get(column["key"])
        if number is not None:
            half = None if number["half"] is None else round(scale * number["half"], 4)
            values = [round(scale * value, 4) for value in number["values"].values()]
            rows.append(
                {"name": row["name"], "kind": row["kind"], "mean": round(scale * number["mean"], 4), "half": half}
                | {"values": values}
            )
    reading = "Large: the mean with its 95 % interval; small: the seeds." if len(comparison["seeds"]) > 1 else ""
    return {"id": name, "title": column["key"], "unit": column["unit"], "reading": reading, "rows": rows}


def _titled(column: Mapping[str, Any]) -> str:
    return f"{column['key']}, %" if column["unit"] == "percent" else str(column["key"])


def _value(number: Mapping[str, Any] | None, column: Mapping[str, Any]) -> str:
    if number is None:
        return "-"
    scale = 100 if column["unit"] == "percent" else 1
    digits = column["digits"]
    text = f"{scale * number['mean']:.{digits}f}"
    return text if number["half"] is None else f"{text} ± {scale * number['half']:.{digits}f}"


def _signed(number: Mapping[str, Any] | None, column: Mapping[str, Any]) -> str:
    if number is None:
        return "-"
    scale = 100 if column["unit"] == "percent" else 1
    digits = column["digits"]
    text = f"{round(scale * number['mean'], digits) + 0.0:+.{digits}f}"  # no minus before a zero
    return text if number["half"] is None else f"{text} ± {scale * number['half']:.{digits}f}"


def _seeds(row: Mapping[str, Any], wanted: int) -> str:
    have = len(row["seeds"])
    return str(have) if have == wanted else f"{have} of {wanted}"


def _failed(row: Mapping[str, Any]) -> str:
    reason = next(iter(row["failed"].values()), "")
    return f"failed: {reason.split(';')[0].split(': ')[0].rstrip('.')}" if reason else ""


def _costs(row: Mapping[str, Any]) -> list[str]:
    step, minutes = row.get("ms_per_step"), row.get("minutes")
    return ["" if step is None else f"{step:.3g}", "" if minutes is None else duration(60 * minutes)]
