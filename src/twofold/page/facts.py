"""What a run's numbers mean, in words: how it ended, and whether its features collapsed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.page.columns import WARN_RANK, WARN_SPREAD
from twofold.page.curves import Rows
from twofold.page.read import Run
from twofold.page.words import Noun, number
from twofold.runs.results import circumstances


@dataclass(frozen=True)
class Verdict:
    """`level` is good, warn, bad or unknown; `text` says it in a sentence; `word` in one or two words."""

    level: str
    word: str
    text: str


def last(rows: Rows, column: str) -> float | None:
    """The last logged value of `column`, or None."""
    return next((row[column] for row in reversed(rows) if column in row), None)


def median(run: Run, column: str) -> float | None:
    """The middle of the logged values of `column`, or None where none is finite."""
    values = [row[column] for row in run.metrics if column in row and math.isfinite(row[column])]
    return statistics.median(values) if values else None


def is_value(value: Any) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def same_question(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entries of evaluation.json have the same protocol, metric, data and conditions."""
    same = all(one.get(key) == other.get(key) for key in ("protocol", "metric"))
    return same and circumstances(one) == circumstances(other)


def is_floor_of(floor: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether an entry of evaluation.json is a floor of another, asked the same question with the same settings."""
    same = all(floor.get(key) == result.get(key) for key in ("settings", "seed"))
    return bool(floor.get("floor")) and same and same_question(floor, result)


def outcome(run: Run, learned: str) -> Verdict:
    """How the run ended, from what it says of it, the last logged row and whether what it learned was written, in the
    file `learned`."""
    if run.ended == "untrained":
        return Verdict("good", "not trained", "Nothing is trained in steps: a formula over the data ranks.")
    if not run.metrics:
        return Verdict("bad", "no steps", "Nothing was logged: the run ended before its first step was written down.")
    loss, step, epoch = last(run.metrics, "loss"), last(run.metrics, "step"), last(run.metrics, "epoch")
    reached = f"step {step:,.0f}" + (f", epoch {number(epoch)}" if epoch is not None else "")
    if loss is not None and not math.isfinite(loss):
        return Verdict("bad", "diverged", f"The loss stopped being a number by {reached}.")
    if (run.path / learned).is_file():
        early = ", as nothing more was gained" if run.ended == "enough" else ""
        return Verdict("good", "finished", f"Finished at {reached}{early}.")
    planned = next((f" of {run.config[key]} {key}" for key in ("epochs", "steps") if run.config.get(key)), "")
    return Verdict(
        "warn", "stopped", f"Stopped at {reached}{planned}, unfinished; the same command goes on from there."
    )


def collapse(run: Run, noun: Noun) -> Verdict:
    """Whether the features collapsed, from the last spread (1 is healthy) and effective rank. noun: whose features.

    A rank is thin below 5 (or a quarter of what narrow vectors allow), below a 25th of what is possible, and below a
    quarter of the highest of the run: BYOL keeps 14 of 256 on CIFAR-10, and falls to 0.28 of its start while it learns.
    """
    spread, rank = last(run.metrics, "spread"), last(run.metrics, "effective_rank")
    if spread is None and rank is None:
        return Verdict(
            "unknown", "not watched", "Neither spread nor effective rank was logged, so collapse was not watched."
        )
    limit = last(run.metrics, "effective_rank_limit")
    of = f" of {number(limit)}" if limit is not None else ""
    measured = " and ".join(
        ([f"spread {number(spread)} of 1"] if spread is not None else [])
        + ([f"effective rank {number(rank)}{of}"] if rank is not None else [])
    )
    if not all(math.isfinite(value) for value in (spread, rank) if value is not None):
        return Verdict("bad", "broken", f"The representation is not made of finite numbers any more ({measured}).")
    if spread is not None and spread < 0.1:
        return Verdict("bad", "collapsed", f"Collapsed: nearly every {noun.one} gets the same vector ({measured}).")
    if rank is not None and rank < 2:
        return Verdict("bad", "collapsed", f"Collapsed: the representation lies along a line ({measured}).")
    if spread is not None and spread < WARN_SPREAD:
        return Verdict("warn", "crowded", f"Close to collapse: the {noun.many} crowd together ({measured}).")
    if rank is not None and rank < _fewest(limit):
        return Verdict("warn", "thin", f"The representation uses very few directions ({measured}).")
    highest = max((v for row in run.metrics if math.isfinite(v := row.get("effective_rank", math.nan))), default=0.0)
    if rank is not None and rank < WARN_RANK * highest:
        lost = f"The representation has lost directions: {measured}, down from {highest:.3g}."
        return Verdict("warn", "shrunk", lost)
    return Verdict("good", "healthy", f"No collapse: {measured}.")


def _fewest(limit: float | None) -> float:
    """Below how many directions a representation is thin, of vectors that could have `limit`, if that is known."""
    return 5.0 if limit is None else max(min(5.0, limit / 4), limit / 25)
