"""The replay: every frame stored once, and what followed from each step over n of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twofold.control.experience.priorities import SumTree, importance
from twofold.control.experience.segments import ReturnSegments
from twofold.errors import UserError

Positions = NDArray[np.int64]
TINY = 1e-12  # the least loss, for priority 0 would mean never again
GOES_ON, DIED, CUT_OFF, LAST_FRAME = 0, 1, 2, 3  # what came after a row; LAST_FRAME is a row without a step
_TABLES = ("action", "reward", "after", "since_start", "priority")


@dataclass(frozen=True)
class Shape:
    """What a replay stores.

    frame: shape of one observation, (C, H, W) of uint8 or (D,) of float32. actions: 0 for numbered ones, or how many
    numbers an action is. stack: frames that make a state. padding: what stands for frames before an episode's start,
    "zero" (Rainbow) or its "first" frame (CURL).
    """

    frame: tuple[int, ...]
    pixels: bool = True
    actions: int = 0
    stack: int = 4
    padding: Literal["zero", "first"] = "zero"

    @property
    def row_bytes(self) -> int:
        """What a row takes: its frame, what else is known of it, and its places in the tree and among the segments."""
        frame = int(np.prod(self.frame)) * (1 if self.pixels else 4)
        return frame + 4 * max(self.actions, 2) + 9 + 32 + 57


@dataclass(frozen=True)
class Drawn:
    """B steps with what followed. positions, also those of the states after n steps; gain: the discounted rewards
    until then, float32; discount: gamma^m, or 0 where the episode ended by itself; weights: importance, float32."""

    positions: Positions
    action: NDArray[np.generic]
    gain: NDArray[np.float32]
    discount: NDArray[np.float32]
    after: Positions
    weights: NDArray[np.float32]


class Replay:
    """A ring of rows. An episode of T steps takes T + 1 of them: the last has its last frame, and is never drawn.

    Rows are known by positions, which count up and never come again; row p lies in slot p % capacity. A step can be
    drawn once the n rows after it, or its episode's end, are there, and until a frame of its state is overwritten.
    """

    def __init__(
        self,
        capacity: int,
        shape: Shape,
        *,
        n_step: int = 1,
        gamma: float = 0.99,
        alpha: float = 0.0,
        segments: ReturnSegments | None = None,
    ) -> None:
        if capacity <= n_step + shape.stack:
            raise UserError(
                f"A replay of {capacity:,} rows holds no {n_step} steps with {shape.stack} frames before: "
                f"give a larger --replay."
            )
        self.capacity, self.shape, self.n_step, self.gamma, self.alpha = capacity, shape, n_step, gamma, alpha
        self.segments = segments
        self.frames = np.zeros((capacity, *shape.frame), np.uint8 if shape.pixels else np.float32)
        numbered = shape.actions == 0
        self.action = np.zeros(
            capacity if numbered else (capacity, shape.actions), np.int64 if numbered else np.float32
        )
        self.reward = np.zeros(capacity, np.float32)
        self.after = np.full(capacity, LAST_FRAME, np.uint8)
        self.since_start = np.zeros(capacity, np.int32)
        self.tree = SumTree(capacity)
        self.position, self.ready, self.largest = 0, 0, 1.0

    @property
    def oldest(self) -> int:
        """The first position that is still kept."""
        return max(self.position - self.capacity, 0)

    @property
    def priority(self) -> NDArray[np.float64]:
        """The priority of each slot, 0 for what cannot be drawn."""
        return self.tree.leaves

    @property
    def count(self) -> int:
        """Steps that can be drawn."""
        return int(np.count_nonzero(self.tree.leaves))

    def add(
        self,
        frame: NDArray[np.generic],
        action: Any,
        reward: float,
        *,
        died: bool = False,
        cut_off: bool = False,
        since_start: int = 0,
    ) -> None:
        """A step: the frame it was made from, the action, its reward, and whether nothing followed (died), or more
        would have but for a limit (cut_off). since_start: rows since the first frame whose state this one may share."""
        if self.position and self.after[(self.position - 1) % self.capacity] == CUT_OFF:
            self.ready = self.position  # the frame that it would have gone on from was never given
        at = self._new_row(frame, since_start)
        self.action[at], self.reward[at] = action, reward
        self.after[at] = DIED if died else CUT_OFF if cut_off else GOES_ON
        if self.segments is not None:
            self.segments.step(float(reward))
            if died or cut_off:
                self.segments.end(terminated=died)
        self._make_ready(self.position if died else self.position - self.n_step)

    def add_last(self, frame: NDArray[np.generic], since_start: int) -> None:
        """The last frame of an episode, after its last step."""
        at = self._new_row(frame, since_start)
        self.action[at], self.reward[at], self.after[at] = 0, 0, LAST_FRAME
        if self.segments is not None:
            self.segments.skip()
        self._make_ready(self.position)

    def break_off(self) -> None:
        """The episode that is being played cannot go on: forget its last row's sequel, as if it had been cut off."""
        if self.position and self.after[(self.position - 1) % self.capacity] == GOES_ON:
            self.after[(self.position - 1) % self.capacity] = CUT_OFF
            if self.segments is not None:
                self.segments.end(terminated=False)

    def draw(self, count: int, rng: np.random.Generator, beta: float = 0.0) -> Drawn:
        """Steps, likely by their priorities. Raises ValueError where none can be drawn yet."""
        slots = self.tree.draw(count, rng)
        # Row p lies in slot p % capacity: the newest position that does.
        positions = self.position - 1 - (self.position - 1 - slots) % self.capacity
        return self.followed(positions, importance(self.tree.leaves[slots], beta))

    def followed(self, positions: Positions, weights: NDArray[np.float32]) -> Drawn:
        """What followed from steps over n of them; termination ends a return, a limit hands over to its last frame."""
        ahead = positions[:, None] + np.arange(self.n_step)
        ends = self.after[ahead % self.capacity]
        over = (ends != GOES_ON).cumsum(1)
        within = (over - (ends != GOES_ON)) == 0  # no end before this row
        powers = self.gamma ** np.arange(self.n_step)
        gain = (self.reward[ahead % self.capacity] * within * powers).sum(1)
        steps = within.sum(1)
        died = ((ends == DIED) & within).any(1)
        discount = np.where(died, 0.0, self.gamma**steps)
        rows = positions % self.capacity
        return Drawn(
            positions,
            self.action[rows],
            gain.astype(np.float32),
            discount.astype(np.float32),
            np.where(died, positions, positions + steps),
            weights,
        )

    def states(self, positions: Positions) -> NDArray[np.generic]:
        """The stacked frames of each position, the oldest first: (B, stack * C, H, W), or (B, stack * D)."""
        back = np.arange(self.shape.stack - 1, -1, -1)
        since = np.minimum(self.since_start[positions % self.capacity], positions - self.oldest)
        reach = np.minimum(back[None, :], since[:, None]) if self.shape.padding == "first" else back[None, :]
        found = self.frames[(positions[:, None] - reach) % self.capacity]
        if self.shape.padding == "zero":
            found[back[None, :] > since[:, None]] = 0
        first, *sides = self.shape.frame
        return found.reshape(len(positions), self.shape.stack * first, *sides)

    def heed(self, positions: Positions, losses: NDArray[np.float64]) -> None:
        """Priorities from the losses of the steps just learned from: loss^alpha."""
        slots = positions % self.capacity
        found = np.maximum(losses, TINY) ** self.alpha
        still = self.tree.leaves[slots] > 0
        self.tree.put(slots[still], found[still])
        self.largest = max(self.largest, float(found.max()))

    def state_dict(self) -> dict[str, Any]:
        """Everything but the frames."""
        tables = {name: getattr(self, name).copy() for name in _TABLES}
        return tables | {"position": self.position, "ready": self.ready, "largest": self.largest}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave, as arrays or tensors. Raises ValueError where it is of another size."""
        for name in _TABLES:
            if state[name].shape != getattr(self, name).shape:
                raise ValueError(f"the replay's {name} has another size")
            if name != "priority":
                getattr(self, name)[:] = state[name]
        self.tree.restore(np.asarray(state["priority"]))
        self.position, self.ready, self.largest = int(state["position"]), int(state["ready"]), float(state["largest"])

    def _new_row(self, frame: NDArray[np.generic], since_start: int) -> int:
        at = self.position % self.capacity
        self.tree.put_one(at, 0.0)
        for later in range(1, self.shape.stack):
            slot = (at + later) % self.capacity
            if self.since_start[slot] >= later:  # the row that goes is part of its state
                self.tree.put_one(slot, 0.0)
        self.frames[at], self.since_start[at] = frame, since_start
        self.position += 1
        return at

    def _make_ready(self, stop: int) -> None:
        """Steps before `stop` have their sequel: they can be drawn, with the largest priority so far."""
        for position in range(max(self.ready, self.oldest), stop):
            if self.after[position % self.capacity] != LAST_FRAME:
                self.tree.put_one(position % self.capacity, self.largest)
        self.ready = max(self.ready, stop)
