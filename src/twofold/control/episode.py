"""One episode as arrays, whoever made it: a log, or an environment just played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Episode:
    """T steps: after the observation of row t comes action t, after that reward t, then the observation of row t + 1.

    observations: (T + 1, ...), or (T, ...) where the log lacks the last one; uint8 pictures as (rows, C, H, W), or
    float32 vectors. actions: int64 (T,), or float32 (T, A). rewards: float32 (T,). life_lost: bool (T,), the step cost
    a life and the game goes on. terminated, truncated: how it ended, by the task or by a limit; where both are set the
    task ended. cut: neither, the log just stops. name: where it comes from.
    """

    observations: NDArray[np.generic]
    actions: NDArray[np.generic]
    rewards: NDArray[np.float32]
    life_lost: NDArray[np.bool_]
    terminated: bool
    truncated: bool
    name: str = ""

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def whole(self) -> bool:
        """Whether the observation after the last step is there."""
        return len(self.observations) > len(self)

    @property
    def cut(self) -> bool:
        """Whether the log stops where the task did not."""
        return not (self.terminated or self.truncated)
