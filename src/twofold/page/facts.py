"""What a run's numbers mean, in words: how it ended, whether it collapsed, how it stands against its floors."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.page.curves import WARN_SPREAD, Rows
from twofold.page.read import Run
from twofold.catalog import SYSTEMS, trained

_SPACE = "\u00a0"  # Keeps a number and its unit on one line.
_ENOUGH = "Nothing more is gained"  # What log.txt says where a run ends early by design.


@dataclass(frozen=True)
class Verdict:
    """`level` is good, warn, bad or unknown; `text` says it in a sentence; `word` in one or two words."""

    level: str
    word: str
    text: str


def number(value: float) -> str:
    """Four digits at most, no needless zeros: 1,234; 12.3; 0.0456."""
    if not math.isfinite(value):
        return "not finite"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share (0..1) as percent with one decimal."""
    return f"{100 * value:.1f}{_SPACE}%" if math.isfinite(value) else "not finite"


def points(difference: float) -> str:
    """A difference of two shares, in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−") + f"{_SPACE}points"


def against(value: float, name: str, floor: float) -> str:
    """How a share stands against a floor, in words."""
    return f"{100 * abs(value - floor):.1f}{_SPACE}points {'over' if value >= floor else 'below'} {name}"


def duration(seconds: float) -> str:
    """Seconds as the two largest units: 2 h 05 min; 3 min 20 s; 45 s."""
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown"
    whole = round(seconds)
    for name, size, minor, minor_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{_SPACE}{name} {whole % size // minor_size:02d}{_SPACE}{minor}"
    return f"{whole}{_SPACE}s"


def last(rows: Rows, column: str) -> float | None:
    """The last logged value of `column`, or None."""
    return next((row[column] for row in reversed(rows) if column in row), None)


def median(run: Run, column: str) -> float | None:
    """The middle of the logged values of `column`, or None where none is finite."""
    values = [row[column] for row in run.metrics if column in row and math.isfinite(row[column])]
    return statistics.median(values) if values else None


def outcome(run: Run) -> Verdict:
    """How the run ended, from the last logged row, the settings and whether what it learned was written."""
    if is_formula(run):
        return Verdict("good", "not trained", "Nothing is trained: a formula over the data ranks.")
    if not run.metrics:
        return Verdict("bad", "no steps", "Nothing was logged: the run ended before its first step was written down.")
    loss, step, epoch = last(run.metrics, "loss"), last(run.metrics, "step"), last(run.metrics, "epoch")
    reached = f"step {step:,.0f}" + (f", epoch {number(epoch)}" if epoch is not None else "")
    if loss is not None and not math.isfinite(loss):
        return Verdict("bad", "diverged", f"The loss stopped being a number by {reached}.")
    if run.exported:
        early = any(_ENOUGH in line for line in run.log)
        return Verdict("good", "finished", f"Finished at {reached}{', as nothing more was gained' if early else ''}.")
    planned = next((f" of {run.config[key]} {key}" for key in ("epochs", "steps") if run.config.get(key)), "")
    return Verdict(
        "warn", "stopped", f"Stopped at {reached}{planned}, unfinished; the same command goes on from there."
    )


def is_formula(run: Run) -> bool:
    """Whether the run's method takes no training."""
    system = SYSTEMS.get(str(run.config.get("method")))
    return system is not None and not trained(system.recipes)


def collapse(run: Run) -> Verdict:
    """Whether the features collapsed, from the last spread (1 is healthy) and effective rank."""
    spread, rank = last(run.metrics, "spread"), last(run.metrics, "effective_rank")
    if spread is None and rank is None:
        return Verdict(
            "unknown", "not watched", "Neither spread nor effective rank was logged, so collapse was not watched."
        )
    measured = " and ".join(
        ([f"spread {number(spread)} of 1"] if spread is not None else [])
        + ([f"effective rank {number(rank)}"] if rank is not None else [])
    )
    if not all(math.isfinite(value) for value in (spread, rank) if value is not None):
        return Verdict("bad", "broken", f"The representation is not made of finite numbers any more ({measured}).")
    if spread is not None and spread < 0.1:
        return Verdict("bad", "collapsed", f"Collapsed: nearly every image gets the same vector ({measured}).")
    if rank is not None and rank < 2:
        return Verdict("bad", "collapsed", f"Collapsed: the representation lies along a line ({measured}).")
    if spread is not None and spread < WARN_SPREAD:
        return Verdict("warn", "crowded", f"Close to collapse: the images crowd together ({measured}).")
    if rank is not None and rank < 5:
        return Verdict("warn", "thin", f"The representation uses very few directions ({measured}).")
    return Verdict("good", "healthy", f"No collapse: {measured}.")


def knn(run: Run, *, online: bool = False) -> tuple[float | None, dict[str, float]]:
    """The kNN accuracy of the run in 0..1, or None, and the floors measured with it (same metric and data) by name.

    That of the last evaluation; with `online` that of the training's own check, whose entry is the first.
    """
    entries = [e for e in run.evaluation if "knn" in str(e.get("protocol", "")).lower() and is_value(e.get("value"))]
    results = [entry for entry in entries if not entry.get("floor")]
    asked = (results or entries or [{}])[0 if online else -1]
    floors = {str(e.get("name", "floor")): float(e["value"]) for e in entries if e.get("floor") and _same(e, asked)}
    value = last(run.metrics, "knn") if online or not results else float(asked["value"])
    return value, floors


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("protocol", "metric", "data"))


def gain(run: Run) -> Verdict | None:
    """A warning where the kNN accuracy does not beat its floors; None where it does or either is missing."""
    value, floors = knn(run)
    highest = max(floors, key=lambda name: floors[name], default=None)
    if value is None or highest is None or value > floors[highest]:
        return None
    stands = f"{percent(value)} against {percent(floors[highest])}"
    return Verdict("warn", "no gain", f"kNN does not beat {highest} ({stands}): nothing that helps was learned yet.")


def is_value(value: Any) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def evaluation_rows(run: Run) -> list[dict[str, Any]]:
    """One row a measured number: `protocol`, `metric`, `data`, `settings`, `value` (text), `share` (0..100 for a bar,
    or None) and `floors`, each {name, value, gain, good, share}, of the same protocol, metric and data."""
    rows = []
    results = [entry for entry in run.evaluation if not entry.get("floor")]
    floors = [entry for entry in run.evaluation if entry.get("floor") and is_value(entry.get("value"))]
    for entry in results:
        value = float(entry["value"]) if is_value(entry.get("value")) else math.nan
        as_share = 0 <= value <= 1
        same = [floor for floor in floors if _same(floor, entry)]
        rivals = {str(other.get("name")) for other in results if _same(other, entry)}
        details = [str(entry.get("name"))] if len(rivals) > 1 else []
        rows.append(
            {
                "protocol": _readable(entry.get("protocol", "")),
                "metric": _readable(entry.get("metric", "")),
                "data": str(entry.get("data", "")),
                "settings": ", ".join(details + _settings(entry.get("settings"))),
                "value": (percent(value) if as_share else number(value)) if math.isfinite(value) else "not measured",
                "share": 100 * value if as_share else None,
                "floors": [_floor(floor, value, as_share) for floor in same],
            }
        )
    return rows


def _readable(name: Any) -> str:
    words = re.sub(r"nn\b", "NN", str(name).replace("_", " "))
    return re.sub(r"\btop(\d)", r"top-\1", words)


def _settings(settings: Any) -> list[str]:
    if isinstance(settings, Mapping):
        return [f"{key} {value}" for key, value in settings.items()]
    return [str(settings)] if settings else []


def _floor(floor: Mapping[str, Any], value: float, as_share: bool) -> dict[str, Any]:
    height = float(floor["value"])
    gain = (points(value - height) if as_share else f"{value - height:+.3g}") if math.isfinite(value) else ""
    return {
        "name": str(floor.get("name", "floor")),
        "value": percent(height) if 0 <= height <= 1 else number(height),
        "gain": gain,
        "good": value > height,
        "share": 100 * height if 0 <= height <= 1 else None,
    }
