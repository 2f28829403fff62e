"""A budget in minutes as a number of steps: each method's step is timed, once, before its first run."""

from __future__ import annotations

import shutil
from pathlib import Path

from twofold.comparison.bench import Bench
from twofold.comparison.entries import Entry
from twofold.page import read_run

WARM_UP, TIMED = 4, 8
FOLDER = ".timing"


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
