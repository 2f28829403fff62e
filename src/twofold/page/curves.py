"""A logged column as a curve, smoothed and thinned so that any run draws fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, float]]

POINTS = 1000  # Of one curve: as many as the pixels of its chart on a fine screen.
_AXES = {"step": ("step", 1.0), "epoch": ("epoch", 1.0), "minutes": ("seconds", 1 / 60)}


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


def series(rows: Rows, column: str, name: str, limit: int = POINTS, along: str = "") -> dict[str, Any] | None:
    """One curve of `column` as JSON-ready lists: `x` by axis name, the column `along` among them, `y` with None where
    the value was not finite, `raw` beside a smoothed `y` for long noisy columns, `broken` the count of those not
    finite; None if never logged."""
    logged = [row for row in rows if column in row]
    values = np.array([row[column] for row in logged], dtype=float)
    if not len(values):
        return None
    drawn, raw = values, None
    if _noisy(column) and len(values) >= 200:
        drawn, raw = smooth(values, len(values) // 50), values
    kept = thin(values, limit)
    axes = {
        axis: [short(logged[i][source] * factor, 7) for i in kept]
        for axis, (source, factor) in {**_AXES, **({along: (along, 1.0)} if along else {})}.items()
        if all(math.isfinite(row.get(source, math.nan)) for row in logged)
    }
    curve = {"name": name, "x": axes, "y": _list(drawn[kept]), "broken": int((~np.isfinite(values)).sum())}
    return curve if raw is None else curve | {"raw": _list(raw[kept])}


def points_within(room: float) -> int:
    """Points that a curve may have on a page where its run has the part `room` of those of a page of its own."""
    return max(150, int(room * POINTS))


def _noisy(column: str) -> bool:
    # Measured over few steps: shown with a moving mean.
    return column.startswith("loss") or column.endswith("_per_second") or column == "wait_share"


def short(value: float, digits: int = 5) -> float:
    """A number without digits that would not be seen."""
    return float(f"{value:.{digits}g}")


def _list(values: np.ndarray) -> list[float | None]:
    return [short(float(value)) if math.isfinite(value) else None for value in values]
