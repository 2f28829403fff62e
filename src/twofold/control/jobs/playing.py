"""An agent measured while it learns, in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twofold.control.acting.episodes import add_episodes
from twofold.control.acting.evaluation import Act, Filming, PlayedEpisode, play
from twofold.control.experience.replay import Shape
from twofold.control.methods.agent import Agent
from twofold.control.world import World
from twofold.randomness import derive
from twofold.seam import Method, Monitor, Progress

SHOWN = {
    "decisions": "decision {:,.0f}",
    "loss": "loss {:.4g}",
    "return": "return {:.4g}",
    "eval_return": "evaluated {:.4g}",
    "dropped": "rewards that are no number left out: {:,.0f}",
    "frames_per_second": "{:,.0f} frames/s",
    "updates_per_second": "{:,.0f} updates/s",
}


class Playing(Monitor):
    """Plays whole episodes with the agent as it is, greedily. Neither the experience nor the draws of training are
    touched, so that a run is the same with more evaluations and with fewer.

    drops: see `play`. last: what was played last. film: of its first episode.
    """

    def __init__(
        self,
        env: Any,
        shape: Shape,
        folder: Path,
        decisions: Callable[[], int],
        *,
        episodes: int,
        seed: int,
        drops: bool,
    ) -> None:
        self.env, self.shape, self.folder, self.decisions = env, shape, folder, decisions
        self.episodes, self.seed, self.drops = episodes, seed, drops
        self.every_epochs = 1
        self.enough = False
        self.last: list[PlayedEpisode] = []
        self.film = Filming()

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        assert isinstance(method, Agent)
        self.film = Filming()
        seed = derive(self.seed, "evaluation", progress.step)
        with torch.random.fork_rng(devices=[]):
            self.last = play(
                self.env,
                self.shape,
                greedy(method),
                self.episodes,
                seed=seed,
                film=self.film,
                on_progress=self.on_progress,
                drops=self.drops,
            )
        add_episodes(self.folder, progress.step, self.decisions(), self.last)
        scores = [played.score for played in self.last]
        return {"eval_return": float(np.mean(scores)), "eval_length": mean_length(self.last)}


def greedy(agent: Agent) -> Act:
    """The agent at its best: no noise, no exploration."""
    agent.eval()
    return lambda state, draws: agent.act(state, draws, explore=False)


def at_random(world: World) -> Act:
    """Any action, all equally likely: a floor."""

    def act(state: NDArray[np.generic], draws: torch.Generator) -> NDArray[np.generic]:
        if world.discrete:
            return np.asarray(int(torch.randint(world.actions, (), generator=draws)))
        return (torch.rand(world.actions, generator=draws) * 2 - 1).numpy()

    return act


def mean_length(played: list[PlayedEpisode]) -> float:
    """Decisions of an episode."""
    return float(np.mean([one.decisions for one in played]))
