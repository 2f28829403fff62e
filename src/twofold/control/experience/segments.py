"""The steps that are stored, their returns, and the segments they lie in: what pairs of moments are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twofold.control.experience.cutting import adaptive_threshold, cut_by_threshold, horizon, return_to_go
from twofold.control.experience.spans import Spans
from twofold.errors import UserError

OPEN, ENDED, UNKNOWN_TAIL = 0, 1, 2  # how the episode of a step ended, as far as its return is concerned
RECENT = 20  # episodes whose returns tell the threshold
ROUNDING = 1e-9  # sums of rewards that are nearer than this are the same
_TABLES = ("gained", "total", "discounted", "episode", "state", "tolerance", "start")
_PLAIN = ("position", "episodes", "single", "open_start", "open_segment", "binned_at")


class ReturnSegments:
    """An index over stored steps, for any agent: flat arrays in, positions out.

    A step is known by its position, which counts up and never comes again; it is kept until `capacity` later ones are
    there. Memory: 41 bytes a step, and 16 a segment and an episode. Feed it by `step` and `end` while an episode is
    played, or by `add_episode`.

    Args:
        capacity: Steps that are kept, as many as the agent's replay keeps.
        rewards: "sparse" cuts after every reward that is not 0; "dense" where the return has moved by a threshold.
        threshold: Of dense rewards; by the last 20 episodes where None.
        segments: Into how many a typical episode of dense rewards falls.
        gamma: Of the returns that are compared across episodes, in bins. Segments always have 1.
        bins: Bins of equal mass of those returns.
    """

    def __init__(
        self,
        capacity: int,
        *,
        rewards: Literal["sparse", "dense"] = "sparse",
        threshold: float | None = None,
        segments: int = 20,
        gamma: float = 0.97,
        bins: int = 5,
    ) -> None:
        if capacity < 1:
            raise UserError(f"capacity is {capacity}, but must be at least 1.")
        if rewards not in ("sparse", "dense"):
            raise UserError(f"rewards must be sparse or dense, not {rewards}.")
        if not 0 < gamma <= 1:
            raise UserError(f"gamma of the returns must lie above 0 and be at most 1, not {gamma}.")
        if bins < 2:
            raise UserError(f"{bins} bins tell no returns apart: give at least 2.")
        if threshold is not None and not threshold >= 0:
            raise UserError(f"threshold is {threshold}, but must be a number of at least 0.")
        self.capacity, self.rewards, self.threshold, self.segments = capacity, rewards, threshold, segments
        self.gamma, self.bins = gamma, bins
        self.gained = np.zeros(capacity)  # in the episode, before the step
        self.total = np.zeros(capacity)  # of the step's episode; where that is open, nothing
        self.discounted = np.full(capacity, np.nan, np.float32)  # NaN: not to be compared across episodes
        self.episode = np.full(capacity, -1, np.int64)
        self.state = np.zeros(capacity, np.uint8)
        self.tolerance = np.zeros(capacity, np.float32)  # returns nearer than this count as the same
        self.start = np.full(capacity, -1, np.int64)  # of the step's segment; -1: in none yet
        self.position, self.episodes, self.single = 0, 0, 0
        self.cut, self.played = Spans(), Spans()  # segments of two steps and more; episodes that are over
        self.open_rewards: list[float] = []
        self.open_start, self.open_segment = 0, 0
        self.recent: list[float] = []
        self.edges = np.empty(0, np.float32)
        self.binned_at = 0

    @classmethod
    def of_arrays(
        cls,
        rewards: NDArray[np.floating],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        *,
        kind: Literal["sparse", "dense"] = "sparse",
        **settings: Any,
    ) -> ReturnSegments:
        """The index over logged steps: rewards (N,), terminated and truncated (N,), whether the episode ended after
        the step, by the task or by a limit. Position i is row i."""
        lengths = {len(rewards), len(terminated), len(truncated)}
        if len(lengths) > 1 or not len(rewards):
            raise UserError(
                f"rewards, terminated and truncated have {len(rewards):,}, {len(terminated):,} and {len(truncated):,} "
                f"rows: give one of each for every step."
            )
        found = cls(len(rewards), rewards=kind, **settings)
        for reward, dead, late in zip(rewards.tolist(), terminated.tolist(), truncated.tolist(), strict=True):
            found.step(reward)
            if dead or late:
                found.end(terminated=dead)
        found.end(terminated=False)
        return found

    @property
    def table(self) -> NDArray[np.int64]:
        """Start and stop of the segments of two steps and more, in order: int64 (n, 2)."""
        return self.cut.rows

    @property
    def oldest(self) -> int:
        """The first position that is still kept."""
        return max(self.position - self.capacity, 0)

    def slot(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the arrays."""
        return positions % self.capacity

    def step(self, reward: float) -> None:
        """A step was made and earned this; its position is the next one."""
        if not math.isfinite(reward):
            raise UserError(f"The reward of position {self.position:,} is {reward}: give finite rewards.")
        at = self.position % self.capacity
        if not self.open_rewards:
            self.open_start = self.open_segment = self.position
        before = self.gained[(self.position - 1) % self.capacity]
        self.gained[at] = before + self.open_rewards[-1] if self.open_rewards else 0.0
        self.discounted[at], self.episode[at], self.state[at] = np.nan, self.episodes, OPEN
        self.tolerance[at], self.start[at] = 0, -1
        self.open_rewards.append(reward)
        self.position += 1
        if self.rewards == "sparse" and reward != 0:
            self._segment(self.open_segment, self.position)
            self.open_segment = self.position
        self._evict()

    def skip(self) -> None:
        """A row was stored that is no step, such as an episode's last frame: it has a position and nothing else."""
        at = self.position % self.capacity
        self.discounted[at], self.episode[at], self.start[at] = np.nan, -1, -1
        self.position += 1
        self._evict()

    def end(self, *, terminated: bool) -> None:
        """The episode is over: by the task, or by a limit or the log's end, of whose last steps no return is known."""
        if not self.open_rewards:
            return
        rewards, first, stop = self.open_rewards, self.open_start, self.position
        kept = self.slot(np.arange(max(first, self.oldest), stop))
        dropped = len(rewards) - len(kept)
        self.total[kept] = math.fsum(rewards)
        self.state[kept] = ENDED if terminated else UNKNOWN_TAIL
        labelled = len(rewards) if terminated else max(len(rewards) - horizon(self.gamma), 0)
        if labelled > dropped:
            self.discounted[kept[: labelled - dropped]] = return_to_go(rewards, self.gamma)[dropped:labelled]
        self.recent = [*self.recent, math.fsum(rewards)][-RECENT:]
        self._close_segments(rewards, first, stop, kept)
        self.played.add(first, stop)
        self.open_rewards, self.episodes = [], self.episodes + 1
        self._evict()

    def add_episode(self, rewards: Sequence[float], *, terminated: bool) -> None:
        """A whole episode at once."""
        for reward in rewards:
            self.step(float(reward))
        self.end(terminated=terminated)

    def rebin(self, every: int = 1000) -> None:
        """Draw the bins anew where `every` steps have come since; equal masses of what is comparable now."""
        if self.binned_at and self.position - self.binned_at < every:
            return
        known = self.discounted[~np.isnan(self.discounted)]
        if len(known):
            inner = np.quantile(known, np.arange(1, self.bins) / self.bins)
            self.edges, self.binned_at = np.unique(inner).astype(np.float32), self.position

    def bin_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bin of each step, -1 where its return is not comparable across episodes."""
        found = self.discounted[self.slot(positions)]
        return np.where(np.isnan(found), -1, np.searchsorted(self.edges, found, side="left"))

    def differ(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether two steps certainly have different returns; shapes broadcast.

        Within an episode by the undiscounted return; across episodes by it where both ended by themselves, otherwise
        by the bins of what is comparable.
        """
        a, b = self.slot(one), self.slot(other)
        tolerance = np.maximum(self.tolerance[a], self.tolerance[b])
        apart = self.gained[a] - self.gained[b]
        within = (np.abs(apart) >= tolerance) & (np.abs(apart) > ROUNDING)
        rest = (self.total[a] - self.gained[a]) - (self.total[b] - self.gained[b])
        ended = (self.state[a] == ENDED) & (self.state[b] == ENDED)
        bins_a, bins_b = self.bin_of(one), self.bin_of(other)
        binned = (bins_a >= 0) & (bins_b >= 0) & (bins_a != bins_b)
        across = np.where(ended, (np.abs(rest) >= tolerance) & (np.abs(rest) > ROUNDING), binned)
        stored = (self.episode[a] >= 0) & (self.episode[b] >= 0)
        return stored & np.where(self.episode[a] == self.episode[b], within, across)

    def around(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where what is stored of each step's episode starts and stops; anything for a position that is no step."""
        going_on = self.open_start if self.open_rewards else self.position
        bounds = np.concatenate([self.played.rows, [[going_on, self.position]]])
        first, stop = bounds[np.searchsorted(bounds[:, 0], positions, side="right") - 1].T
        return np.maximum(first, self.oldest), stop

    @property
    def share_lost(self) -> float:
        """The share of the steps cut so far that lie alone in their segment, and so have no partner."""
        cut = self.position - len(self.open_rewards)
        return self.single / cut if cut else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Everything, as arrays and plain values."""
        arrays = {name: getattr(self, name).copy() for name in (*_TABLES, "table", "edges")}
        arrays["played"] = self.played.rows.copy()
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {**arrays, **plain, "open_rewards": list(self.open_rewards), "recent": list(self.recent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave, as arrays or tensors. Raises ValueError where it is of another size."""
        for name in _TABLES:
            if state[name].shape != getattr(self, name).shape:
                raise ValueError(f"{name} has another size")
            getattr(self, name)[:] = state[name]
        for name in _PLAIN:
            setattr(self, name, int(state[name]))
        self.cut, self.played = Spans(np.asarray(state["table"])), Spans(np.asarray(state["played"]))
        self.edges = np.asarray(state["edges"]).astype(np.float32)
        self.open_rewards, self.recent = list(state["open_rewards"]), list(state["recent"])

    def _close_segments(self, rewards: Sequence[float], first: int, stop: int, kept: NDArray[np.int64]) -> None:
        if self.rewards == "sparse":
            self._segment(self.open_segment, stop)
            return
        threshold = adaptive_threshold(self.recent, self.segments) if self.threshold is None else self.threshold
        self.tolerance[kept] = threshold
        starts = first + cut_by_threshold(rewards, threshold)
        for begin, end in zip(starts, [*starts[1:], stop], strict=True):
            self._segment(int(begin), int(end))

    def _segment(self, start: int, stop: int) -> None:
        if stop - start == 1:
            self.single += 1
        if stop <= start or start < self.oldest:
            return
        self.start[self.slot(np.arange(start, stop))] = start
        if stop - start > 1:
            self.cut.add(start, stop)

    def _evict(self) -> None:
        self.cut.forget_begun_before(self.oldest)
        self.played.forget_over_before(self.oldest)
