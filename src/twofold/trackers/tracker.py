"""What a tracker is: four methods, called in one process, in the order of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run. config: every setting by its dotted name. id: what `Tracker.start` returned when
    the run began; None where the tracker does not know the run yet."""

    folder: Path
    config: Mapping[str, Any]
    id: str | None


class Tracker(Protocol):
    """Takes what a run logs. It is made without arguments; an error that it raises never ends the run.

    Others than ours are found under the entry-point group `twofold.trackers`, by the name that `--log` has.
    """

    def start(self, run: TrackedRun) -> str:
        """Open the run there, or go on with the one of this id. Returns its id, which the run folder keeps."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take the numbers of a step, counted from 1; some may be infinite or no number. Rows of metrics come with
        rising steps, each once; what was measured afterwards comes at the last step."""

    def attach(self, file: Path) -> None:
        """Take a file of the run folder: settings, results, the page. One of the same name takes the old one's
        place."""

    def finish(self, ended: str) -> None:
        """Write what is held back, and close. ended: as outcome.json has it, or "failed"; `start` may follow in
        another process."""
