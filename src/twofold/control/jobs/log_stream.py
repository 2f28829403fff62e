"""Logged episodes as the loop reads them: steps by their places, and what is drawn beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from twofold.control.acting.online import draw_all
from twofold.control.episode import Episode
from twofold.control.experience.replay import LAST_FRAME, Positions, Replay, Shape
from twofold.control.lesson import Experience, PairStates
from twofold.control.methods.agent import Agent
from twofold.errors import UserError
from twofold.randomness import derive
from twofold.runs.screen import OnProgress
from twofold.seam import Stream

TRIES = 20  # draws of pairs until each addition has some


class LogStream(Stream[Experience]):
    """The steps of logged episodes, all in memory, each frame once."""

    waited = 0.0

    def __init__(self, replay: Replay, agent: Agent, seed: int) -> None:
        self.replay, self.agent, self.seed = replay, agent, seed
        self.steps = np.flatnonzero(replay.after[: replay.position] != LAST_FRAME)

    def __len__(self) -> int:
        return len(self.steps)

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[Experience]:
        for chosen, epoch in zip(index_batches, epochs, strict=False):
            # The first place of a batch names it within its epoch, so that what is drawn beside it follows from both.
            yield self.batch(self.steps[chosen.numpy()], derive(self.seed, "batch", epoch, int(chosen[0])))

    def batch(self, positions: Positions, key: int) -> Experience:
        """Steps, with what is drawn beside them under a key."""
        replay, count = self.replay, len(positions)
        states = torch.from_numpy(replay.states(positions))
        return Experience(
            index=torch.from_numpy(positions),
            states=states,
            after=states,
            action=torch.from_numpy(replay.action[positions]),
            gain=torch.zeros(count),
            discount=torch.zeros(count),
            weights=torch.ones(count),
            pairs=self._pairs(key),
        )

    def _pairs(self, key: int) -> dict[str, PairStates]:
        """Pairs for each addition that learns from such."""
        wanted = {a.name for a in self.agent.additions if a.weight and a.pairs}
        for attempt in range(TRIES):
            found = draw_all(self.agent, self.replay, self.seed, derive(key, attempt))
            if wanted <= found.keys():
                return found
        raise UserError(
            "The log tells no returns apart: all of its steps have the same, or too few segments have two steps or "
            "more; give more episodes, rcrl's --recipe bins, or other --method.rewards, .threshold or .bins."
        )


def filled(episodes: Sequence[Episode], agent: Agent, shape: Shape, on_progress: OnProgress | None = None) -> Replay:
    """A replay that holds all steps of some episodes."""
    rows = sum(len(episode) + 1 for episode in episodes)
    capacity = rows + shape.stack + 2
    replay = Replay(capacity, shape, segments=agent.index(capacity))
    for number, episode in enumerate(episodes):
        add_episode(replay, episode)
        if on_progress:
            on_progress(number + 1, len(episodes))
    return replay


def add_episode(replay: Replay, episode: Episode) -> None:
    """The steps of an episode; a life lost ends a return like death, but later states see what was before."""
    last = len(episode) - 1
    for t in range(len(episode)):
        died = bool(episode.life_lost[t]) or (t == last and episode.terminated)
        cut_off = t == last and not died
        replay.add(
            episode.observations[t],
            episode.actions[t],
            float(episode.rewards[t]),
            died=died,
            cut_off=cut_off,
            since_start=t,
        )
    if episode.whole:
        replay.add_last(episode.observations[len(episode)], len(episode))
