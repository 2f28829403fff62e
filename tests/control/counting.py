"""Small worlds for tests: a counter whose frames tell their own place, and agents that fit into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from twofold.control.experience.replay import Replay, Shape
from twofold.control.lesson import Experience
from twofold.control.methods.agent import Agent
from twofold.control.methods.auxiliary import Auxiliary
from twofold.control.methods.rainbow import Rainbow
from twofold.control.methods.sac import SAC
from twofold.control.world import World
from twofold.randomness import generator
from twofold.seam import Progress
from twofold.training.distribution import make_fabric
from twofold.training.optimizer import build_optimizer
from twofold.training.plan import Plan
from twofold.training.step import Updates, reseed

GAME = World((1, 12, 12), True, 3, True, 2)
BODY = World((1, 20, 20), True, 2, False, 2)


class Counter:
    """An environment whose frame is filled with the number of the step; lengths: of its episodes, in turn.

    by_seed: their length follows from the seed, not from their turn. ends: how each ends. rewards: of each step, by
    its number. lives: steps after which one is lost. unlike: frames differ from one playing to the next.
    """

    frame, pixels, actions, discrete = (1, 4, 4), True, 3, True

    def __init__(
        self, lengths=(5,), ends="terminated", rewards=lambda t: 0.0, lives=(), unlike=False, by_seed=False
    ) -> None:
        self.lengths, self.ends, self.rewards, self.lives, self.unlike, self.by_seed = (
            lengths,
            ends,
            rewards,
            lives,
            unlike,
            by_seed,
        )
        self.episode, self.t, self.steps, self.closed = -1, 0, 0, False

    def look(self) -> np.ndarray:
        shown = self.t + (100 * self.episode if self.unlike else 0)
        return np.full(self.frame, shown % 256, np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        if options and options.get("life"):
            self.t += 1
            return self.look(), {"raw_frames": self.t}
        self.episode += 1
        which = seed if self.by_seed and seed is not None else self.episode
        self.length = self.lengths[which % len(self.lengths)]
        self.t = 0
        return self.look(), {"raw_frames": 0}

    def step(self, action: Any):
        self.t += 1
        self.steps += 1
        over = self.t >= self.length
        lost = self.t in self.lives and not over
        terminated, truncated = over and "terminated" in self.ends, over and "truncated" in self.ends
        return self.look(), self.rewards(self.t), terminated, truncated, {"raw_frames": self.t, "life_lost": lost}

    def close(self) -> None:
        self.closed = True


def rainbow(*additions: Auxiliary, world: World = GAME, **settings: Any) -> Rainbow:
    """A tiny Rainbow, its weights from torch's generator."""
    chosen = {"hidden": 16, "atoms": 11, "n_step": 3, "target_every": 4, **settings}
    return Rainbow(world, additions=additions, **chosen)


def sac(*additions: Auxiliary, world: World = BODY, **settings: Any) -> SAC:
    """A tiny SAC, its weights from torch's generator."""
    return SAC(world, additions=additions, **{"hidden": 16, "features": 8, "network": "grid", **settings})


def filled(agent: Agent, steps: int = 300, seed: int = 0, length: int = 10) -> Replay:
    """A replay of random frames and actions in an agent's world, with sparse rewards."""
    world, rng = agent.world, np.random.default_rng(seed)
    shape = Shape(world.frame, world.pixels, 0 if world.discrete else world.actions, world.stack, agent.padding)
    replay = Replay(
        2 * steps, shape, n_step=agent.n_step, gamma=agent.gamma, alpha=agent.alpha, segments=agent.index(2 * steps)
    )
    for t in range(steps):
        since = t % length
        frame = rng.integers(0, 256, world.frame).astype(np.uint8)
        action = rng.integers(world.actions) if world.discrete else rng.uniform(-1, 1, world.actions).astype(np.float32)
        reward = float(rng.choice([0.0, 0.0, 1.0, -1.0]))
        replay.add(frame, action, reward, died=since == length - 1, since_start=since)
    return replay


def batch(replay: Replay, agent: Agent, size: int = 8, seed: int = 0) -> Experience:
    """A batch, with the pairs of the agent's additions."""
    from twofold.control.acting.online import draw_all

    drawn = replay.draw(size, np.random.default_rng(seed), agent.beta)
    return Experience(
        torch.from_numpy(drawn.positions),
        torch.from_numpy(replay.states(drawn.positions)),
        torch.from_numpy(replay.states(drawn.after)),
        torch.from_numpy(drawn.action),
        torch.from_numpy(drawn.gain),
        torch.from_numpy(drawn.discount),
        torch.from_numpy(drawn.weights),
        draw_all(agent, replay, 0, seed),
    )


def updated(agent, replay, steps=6, heed=True):
    """An agent after updates of its own kind, as the loop makes them; the losses of each step."""
    plan = Plan(batch_size=8, steps=steps, optimizer="adam", lr=1e-3, weight_decay=0.0, schedule="constant", eps=1.5e-4)
    fabric = make_fabric(1)
    updates = Updates(agent, build_optimizer(agent, plan), plan, fabric, print)
    found = []
    for step in range(steps):
        reseed(fabric.device, 0, "step", step, 0)
        progress = Progress(step, steps)
        if hasattr(agent, "network"):
            agent.network.head.resample(generator(0, "act", step))
        drawn = batch(replay, agent, seed=step)
        losses = updates(drawn.views(), progress, 1e-3)
        agent.after_step(progress)
        if heed and agent.alpha:
            replay.heed(drawn.index.numpy(), losses.each.double().numpy())
        found.append(losses)
    return found
