"""What the loop takes and gives: data, monitors, the outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from twofold.errors import UserError
from twofold.method import Progress
from twofold.views import Batch


class Stream(Protocol):
    """Data as the loop needs it. waited: seconds that the loop has waited for batches so far.

    It may have `unreadable`, a mapping from the names of files that could not be read to the reasons.
    """

    waited: float

    def __len__(self) -> int: ...

    def stream(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]: ...


class Monitor(Protocol):
    """A measurement made at the end of every so many epochs, and at the end of the run; leaves the method as it was.

    Called in the first process only. One that has an attribute `enough` ends the run where that is true after a call.
    """

    every_epochs: int

    def __call__(self, method: nn.Module, progress: Progress) -> dict[str, float]: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    metrics: the last row. resumed_from: the step it went on from. finished_before: nothing was left to do. seconds: of
    training, over all starts; images_per_second and wait_share: of this start.
    """

    steps: int
    epochs: int
    seconds: float
    images_per_second: float
    wait_share: float
    metrics: dict[str, float]
    resumed_from: int = 0
    finished_before: bool = False


class TrainingStopped(UserError):
    """A run that cannot go on: its loss is not finite, or the disk is full. Its last good checkpoint is intact."""
