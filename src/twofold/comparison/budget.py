"""A budget in minutes as a number of steps: each method's step is timed, once, before its first run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from twofold.catalog import options
from twofold.comparison.bench import Bench
from twofold.comparison.entries import Entry
from twofold.page import read_run

WARM_UP, TIMED = 4, 8
FOLDER = ".timing"

Pretrain = TypeVar("Pretrain", bound=options.Pretrain)


def limited(options: Pretrain, steps: int | None) -> Pretrain:
    """The options of a run of so many steps, where the budget is in steps."""
    return options if steps is None else replace(options, steps=steps, epochs=None)


def steps_within(minutes: float, entry: Entry, bench: Bench, out: Path) -> tuple[int, float]:
    """(steps that fit into the minutes, seconds of one): by a short run of the method in a folder that is removed.

    The mean of 8 steps after 4 to warm up, with waiting for data and the writing of metrics, like in a run. At least
    one step.
    """
    folder = out / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    try:
        bench.rehearse(entry, folder, WARM_UP + TIMED, WARM_UP)
        at = {int(row["step"]): row["seconds"] for row in read_run(folder).metrics}
        seconds = max(at[WARM_UP + TIMED] - at[WARM_UP], 1e-6) / TIMED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return max(1, int(60 * minutes / seconds)), seconds
