"""An environment played a decision at a time: games in a row, each a function of its seed and its actions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.experience.replay import Shape
from twofold.control.experience.stacking import Stack


@dataclass(frozen=True)
class Made:
    """A step that was made. frame: from which, since_start: see `experience.replay`; after: the frame it led to.

    life_lost: the game goes on without that life. terminated, truncated: the game is over, by the task or by a limit.
    frames: of the environment that the step took.
    """

    frame: NDArray[np.generic]
    since_start: int
    reward: float
    terminated: bool
    truncated: bool
    life_lost: bool
    after: NDArray[np.generic]
    frames: int

    @property
    def over(self) -> bool:
        """Whether the game ended with it."""
        return self.terminated or self.truncated

    @property
    def cut_off(self) -> bool:
        """Whether more would have followed but for a limit."""
        return self.truncated and not self.terminated


class Player:
    """Plays games of an environment, as `environments.factory.build` makes it, one after the other.

    seeds: the seed of each game. lives: tell those that are lost; the game then goes on after a moment, with its older
    frames still in the state. score: of the open game; dropped: its rewards that are no number, which do not count.
    """

    def __init__(self, env: Any, shape: Shape, seeds: Callable[[int], int], *, lives: bool = True) -> None:
        self.env, self.stack, self.seeds, self.lives = env, Stack(shape), seeds, lives
        self.game = -1
        self.actions: list[NDArray[np.generic]] = []
        self.score, self.raw, self.dropped = 0.0, 0, 0

    @property
    def state(self) -> NDArray[np.generic]:
        """What is to be decided about."""
        return self.stack.state

    @property
    def digest(self) -> str:
        """A hash of what is seen."""
        return hashlib.blake2b(np.ascontiguousarray(self.state).tobytes(), digest_size=16).hexdigest()

    def begin(self, game: int | None = None) -> None:
        """Begin the next game, or that of a number."""
        self.game = self.game + 1 if game is None else game
        frame, info = self.env.reset(seed=self.seeds(self.game))
        self.actions, self.score, self.dropped, self.raw = [], 0.0, 0, int(info.get("raw_frames", 0))
        self.stack.begin(frame)

    def step(self, action: NDArray[np.generic]) -> Made:
        """Make a decision."""
        frame, since_start = self.stack.newest, self.stack.since_start
        after, reward, terminated, truncated, info = self.env.step(action if action.ndim else int(action))
        self.actions.append(action)
        raw = int(info.get("raw_frames", self.raw + 1))
        made = Made(
            frame,
            since_start,
            float(reward),
            bool(terminated),
            bool(truncated),
            self.lives and bool(info.get("life_lost", False)) and not (terminated or truncated),
            after,
            raw - self.raw,
        )
        self.raw = raw
        if np.isfinite(made.reward):
            self.score += made.reward
        else:
            self.dropped += 1
        self.stack.push(after)
        if made.life_lost:
            frame, info = self.env.reset(options={"life": True})
            self.raw = int(info.get("raw_frames", self.raw))
            self.stack.push(frame)
        return made

    def repeat(self, game: int, actions: Iterable[NDArray[np.generic]]) -> None:
        """Play a game up to where it was: the same seed, the same actions."""
        self.begin(game)
        for action in actions:
            self.step(action)
