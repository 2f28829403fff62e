"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    metrics: the last row. resumed_from: the step it went on from. finished_before: nothing was left to do. seconds: of
    training, over all starts; items_per_second and wait_share: of this start.
    """

    steps: int
    epochs: int
    seconds: float
    items_per_second: float
    wait_share: float
    metrics: dict[str, float]
    resumed_from: int = 0
    finished_before: bool = False


class TrainingStopped(UserError):
    """A run that cannot go on: its loss is not finite, or the disk is full. Its last good checkpoint is intact."""
