"""What an agent, or an encoder, is to work with: the shapes of states and actions."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """frame: shape of one observation, (C, H, W) of uint8 pictures or (D,) of float32 vectors. actions: how many there
    are to choose from, or how many numbers in [-1, 1] one is made of. stack: observations that make a state."""

    frame: tuple[int, ...]
    pixels: bool
    actions: int
    discrete: bool
    stack: int = 1

    @property
    def state(self) -> tuple[int, ...]:
        """The shape of a state: stacked along the first axis."""
        return (self.frame[0] * self.stack, *self.frame[1:])

    def in_words(self) -> str:
        """States and actions, for the start of a run."""
        sides = " x ".join(map(str, self.frame[1:]))
        states = (
            f"{self.stack} x {self.frame[0]} x {sides} pixels" if self.pixels else f"{math.prod(self.state)} numbers"
        )
        actions = f"{self.actions} actions" if self.discrete else f"actions of {self.actions} numbers in [-1, 1]"
        return f"states of {states}, {actions}"
