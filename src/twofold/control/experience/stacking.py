"""The state that is seen while an episode is played: its last frames, stacked as the replay stacks them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twofold.control.experience.replay import Shape


class Stack:
    """The frames of an episode so far, as far as they make its state; since_start counts them from 0."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.frames: list[NDArray[np.generic]] = []
        self.since_start = -1

    def begin(self, frame: NDArray[np.generic]) -> None:
        """The first frame of an episode: nothing before it is seen any more."""
        self.frames, self.since_start = [], -1
        self.push(frame)

    def push(self, frame: NDArray[np.generic]) -> None:
        """The next frame."""
        self.frames = [*self.frames, frame][-self.shape.stack :]
        self.since_start += 1

    @property
    def newest(self) -> NDArray[np.generic]:
        """The last frame."""
        return self.frames[-1]

    @property
    def state(self) -> NDArray[np.generic]:
        """The stacked frames, the oldest first: (stack * C, H, W), or (stack * D,)."""
        missing = self.shape.stack - len(self.frames)
        before = np.zeros_like(self.newest) if self.shape.padding == "zero" else self.frames[0]
        return np.concatenate([*[before] * missing, *self.frames])
