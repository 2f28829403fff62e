"""Episodes played to measure an agent: in an environment of its own, by draws of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twofold.control.acting.player import Player
from twofold.control.experience.replay import Shape
from twofold.errors import UserError
from twofold.randomness import derive, generator
from twofold.runs.screen import OnProgress

Act = Callable[[NDArray[np.generic], torch.Generator], NDArray[np.generic]]  # state, draws -> action
FRAMES = 240  # of an episode, evenly, that are kept to be looked at


@dataclass(frozen=True)
class PlayedEpisode:
    """One episode that was played to its end. score: the sum of its rewards, as the environment gives them. dropped:
    those of them that are no number, and left out."""

    number: int
    seed: int
    score: float
    decisions: int
    frames: int
    ended: str
    dropped: int = 0


class Filming:
    """Keeps frames of the first episode that is played, at most `most`: every other one is dropped when it is full."""

    def __init__(self, most: int = FRAMES) -> None:
        self.most, self.every, self.seen = most, 1, 0
        self.frames: list[NDArray[np.generic]] = []

    def __call__(self, frame: NDArray[np.generic]) -> None:
        """See a frame."""
        if self.seen % self.every == 0:
            self.frames.append(frame)
        self.seen += 1
        if len(self.frames) > self.most:
            self.frames, self.every = self.frames[::2], 2 * self.every


def play(
    env: Any,
    shape: Shape,
    act: Act,
    episodes: int,
    *,
    seed: int,
    film: Filming | None = None,
    on_progress: OnProgress | None = None,
    drops: bool = False,
) -> list[PlayedEpisode]:
    """Play whole episodes; each is a function of (seed, its number) and of what `act` does.

    A life lost is no end here. film: what keeps the first one's frames. drops: rewards that are no number are left out
    and counted; otherwise UserError is raised for them.
    """
    player = Player(env, shape, lambda game: derive(seed, "episode", game), lives=False)
    played = list[PlayedEpisode]()
    for number in range(episodes):
        player.begin(number)
        draws = generator(seed, "decisions", number)
        frames, made = 0, None
        if film and not number:
            film(player.stack.newest)
        while made is None or not made.over:
            made = player.step(act(player.state, draws))
            frames += made.frames
            if player.dropped and not drops:
                raise UserError(
                    f"The reward of step {len(player.actions):,} of episode {number + 1:,} is {made.reward}: mend the "
                    f"environment, or give --on-nan drop to leave such rewards out of the score."
                )
            if film and not number:
                film(made.after)
            if on_progress:
                on_progress(number, episodes)
        ended = "terminated" if made.terminated else "truncated"
        score, decisions = player.score, len(player.actions)
        played.append(
            PlayedEpisode(number, derive(seed, "episode", number), score, decisions, frames, ended, player.dropped)
        )
        if on_progress:
            on_progress(number + 1, episodes)
    return played
