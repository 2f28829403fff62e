"""Prioritised sampling (Schaul et al., ICLR 2016): a tree of sums over the slots of a replay."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError


class SumTree:
    """Sums over `size` slots; a slot of priority 0 is never drawn. float64, 16 to 32 bytes a slot."""

    def __init__(self, size: int) -> None:
        self.size, self.first = size, 1 << max(size - 1, 0).bit_length()
        self.sums = np.zeros(2 * self.first)

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(self.sums[1])

    @property
    def leaves(self) -> NDArray[np.float64]:
        """The priority of each slot."""
        return self.sums[self.first : self.first + self.size]

    def put_one(self, slot: int, priority: float) -> None:
        """Give one slot a priority."""
        sums, node = cast("memoryview[float]", self.sums.data), self.first + slot  # is read faster than the array
        if sums[node] == priority:
            return
        sums[node] = priority
        while node > 1:
            node >>= 1
            sums[node] = sums[2 * node] + sums[2 * node + 1]

    def put(self, slots: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Give slots priorities; where a slot comes twice, the last counts. Raises UserError for one that is not finite
        or below 0."""
        if not (np.isfinite(priorities).all() and (priorities >= 0).all()):
            worst = priorities[~(np.isfinite(priorities) & (priorities >= 0))][0]
            raise UserError(f"A priority of the replay is {worst}: the loss is not finite, so lower the learning rate.")
        nodes = self.first + slots
        self.sums[nodes] = priorities
        while len(nodes) and nodes[0] > 1:
            nodes = nodes >> 1
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def restore(self, leaves: NDArray[np.float64]) -> None:
        """Take up the priorities of all slots."""
        self.sums[self.first : self.first + self.size] = leaves
        for level in range(self.first.bit_length() - 2, -1, -1):
            nodes = np.arange(1 << level, 2 << level)
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """`count` slots, one from each of as many equal parts of the total, likely by their priorities. Raises
        ValueError where all priorities are 0."""
        if not self.total > 0:
            raise ValueError("nothing can be drawn yet")
        aim = (np.arange(count) + rng.random(count)) * (self.total / count)
        nodes = np.ones(count, np.int64)
        while nodes[0] < self.first:
            left = self.sums[2 * nodes]
            # Sums of floats may exceed their parts by a hair: never go where nothing is.
            right = (aim >= left) & (self.sums[2 * nodes + 1] > 0)
            aim = np.where(right, aim - left, aim)
            nodes = 2 * nodes + right
        return nodes - self.first


def importance(priorities: NDArray[np.float64], beta: float) -> NDArray[np.float32]:
    """Weights that undo the choice, (N p / total)^-beta over the largest of the batch, where N and total cancel."""
    return ((priorities / priorities.min()) ** -beta).astype(np.float32)
