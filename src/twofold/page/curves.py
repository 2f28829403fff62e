"""Turns logged rows into charts: which columns belong together, smoothed and thinned so that any run draws fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, float]]

POINTS = 1000  # Of one curve: as many as the pixels of its chart on a fine screen.
WARN_SPREAD = 0.3  # Below this share of the healthy spread, features are crowding together.
_AXES = {"step": ("step", 1.0), "epoch": ("epoch", 1.0), "minutes": ("seconds", 1 / 60)}

# column -> title, unit, how to read it
_SINGLE = {
    "knn": (
        "kNN accuracy",
        "percent",
        "Nearest-neighbour accuracy of the features: the check that it learns.",
    ),
    "spread": (
        "Spread",
        "number",
        "Of the compared vectors: 1 is healthy, they fill the sphere; near 0 every image gets the same.",
    ),
    "effective_rank": ("Effective rank", "number", "How many directions the compared vectors really use."),
    "temporal_consistency": (
        "Temporal consistency",
        "number",
        "Cosine of the same images' features to those of a tenth of the run before.",
    ),
    "lr": ("Learning rate", "number", "The schedule as it was applied."),
    "images_per_second": ("Images a second", "number", "Training speed, all devices together."),
    "wait_share": ("Waiting for data", "percent", "Share of the time in which the model waited for images."),
}
# Measured over few steps: shown with a moving mean.
_NOISY = ("loss", "images_per_second", "triples_per_second", "wait_share")
_BOOKKEEPING = {"step", "epoch", "seconds", "loss"}


def thin(values: np.ndarray, limit: int = POINTS) -> np.ndarray:
    """Indices, rising, of at most `limit` (>= 4) of `values` (n,): the first, the last, and each stretch's extremes."""
    count = len(values)
    if count <= limit:
        return np.arange(count)
    edges = np.linspace(0, count, limit // 2).astype(int)
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        finite = start + np.flatnonzero(np.isfinite(values[start:stop]))
        if len(finite):
            kept |= {int(finite[values[finite].argmin()]), int(finite[values[finite].argmax()])}
        else:
            kept.add(int(start))
    return np.array(sorted(kept))


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving mean of `values` (n,) over `window` points, fewer at the ends; values that are not finite are
    passed over, and stay NaN."""
    finite = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    at = np.arange(len(values))
    low, high = np.maximum(at - window // 2, 0), np.minimum(at + window // 2 + 1, len(values))
    means = (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)
    return np.where(finite, means, np.nan)


def series(rows: Rows, column: str, name: str, limit: int = POINTS) -> dict[str, Any] | None:
    """One curve of `column` as JSON-ready lists: `x` by axis name, `y` with None where the value was not finite, `raw`
    beside a smoothed `y` for long noisy columns, `broken` the count of those not finite; None if never logged."""
    logged = [row for row in rows if column in row]
    values = np.array([row[column] for row in logged], dtype=float)
    if not len(values):
        return None
    drawn, raw = values, None
    if column.startswith(_NOISY) and len(values) >= 200:
        drawn, raw = smooth(values, len(values) // 50), values
    kept = thin(values, limit)
    axes = {
        axis: [_short(logged[i][source] * factor, 7) for i in kept]
        for axis, (source, factor) in _AXES.items()
        if all(math.isfinite(row.get(source, math.nan)) for row in logged)
    }
    curve = {"name": name, "x": axes, "y": _list(drawn[kept]), "broken": int((~np.isfinite(values)).sum())}
    return curve if raw is None else curve | {"raw": _list(raw[kept])}


def run_charts(rows: Rows, floors: Mapping[str, float], share: float = 1.0) -> list[dict[str, Any]]:
    """The charts of one run, its curves of at most `share` of 1,000 points (but 150); `floors` (name -> accuracy, 0..1)
    cross the kNN chart."""
    limit = points_within(share)
    terms = sorted({column for row in rows for column in row if column.startswith("loss/")})
    reading, shown = "The total that is minimised, and each of its named terms.", terms
    if all(row.get(term) == row.get("loss") for row in rows for term in terms):
        reading, shown = "What is minimised.", []  # A lone term is the total over again.
    loss = [series(rows, "loss", "total", limit), *(series(rows, t, t.removeprefix("loss/"), limit) for t in shown)]
    charts = [make_chart("loss", "Loss", "number", reading, loss)]
    charts += [_single(column, [series(rows, column, _SINGLE[column][0], limit)], floors) for column in _SINGLE]
    known = _BOOKKEEPING | set(_SINGLE) | set(terms)
    others = sorted({column for row in rows for column in row} - known)
    charts += [make_chart(c, c, "number", "Logged by the method.", [series(rows, c, c, limit)]) for c in others]
    return [chart for chart in charts if chart["series"]]


def overlay_charts(runs: Mapping[str, Rows], floors: Mapping[str, float], share: float) -> list[dict[str, Any]]:
    """The charts that hold one curve for each run (name -> rows); `floors` and `share` as for `run_charts`."""
    limit = points_within(share)
    reading = "Totals of different methods are different quantities: compare shapes, not heights."
    charts = [make_chart("loss", "Loss", "number", reading, [series(r, "loss", n, limit) for n, r in runs.items()])]
    for column in _SINGLE:
        charts.append(_single(column, [series(r, column, n, limit) for n, r in runs.items()], floors))
    return [chart for chart in charts if chart["series"]]


def points_within(share: float) -> int:
    """Points that a curve may have in a page where its run has `share` of those of a page of its own."""
    return max(150, int(share * POINTS))


def _single(column: str, curves: Sequence[dict[str, Any] | None], floors: Mapping[str, float]) -> dict[str, Any]:
    title, unit, reading = _SINGLE[column]
    chart = make_chart(column, title, unit, reading, curves)
    if column == "knn":
        chart["lines"] = [{"y": _short(value), "label": name} for name, value in floors.items()]
    if column == "spread":
        chart["lines"] = [{"y": 1.0, "label": "healthy"}]
        chart["warn"] = WARN_SPREAD
    return chart


def make_chart(
    column: str, title: str, unit: str, reading: str, curves: Sequence[dict[str, Any] | None]
) -> dict[str, Any]:
    """A chart as the script draws it; curves that were never logged are left out, and the reading says what was not
    finite or was smoothed."""
    present = [curve for curve in curves if curve]
    broken = sum(curve.pop("broken") for curve in present)
    if broken:
        reading += f" {broken} logged {'value was' if broken == 1 else 'values were'} not a finite number."
    if any("raw" in curve for curve in present):
        reading += " Bold: moving mean; pale: as logged."
    return {"column": column, "title": title, "unit": unit, "reading": reading, "series": present, "lines": []}


def _short(value: float, digits: int = 5) -> float:
    return float(f"{value:.{digits}g}")


def _list(values: np.ndarray) -> list[float | None]:
    return [_short(float(value)) if math.isfinite(value) else None for value in values]
