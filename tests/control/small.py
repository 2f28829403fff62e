"""A small world for the tests of control: episodes whose frames count, a game, and the stream of an agent in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.control.experience.pairs import Pairs
from twofold.control.experience.replay import Replay, Shape
from twofold.control.experience.segments import ReturnSegments
from twofold.control.lesson import Experience, PairStates
from twofold.control.methods.agent import Agent
from twofold.control.world import World
from twofold.randomness import derive, generator
from twofold.runs.folder import RunFolder
from twofold.seam import Batch, Losses, Stream
from twofold.training.distribution import make_fabric
from twofold.training.loop import train
from twofold.training.outcome import Outcome
from twofold.training.plan import Plan

End = Literal["", "died", "limit", "last"]
GRID = World((1, 12, 12), pixels=True, actions=3, discrete=True, stack=2)
PLANE = World((3, 20, 20), pixels=True, actions=2, discrete=False, stack=2)


@dataclass(frozen=True)
class Row:
    """A row of a replay: step t of an episode and how it ended, or, "last", the frame after the last step."""

    episode: int
    t: int
    reward: float = 0.0
    end: End = ""


def episode_rows(
    episode: int, rewards: Sequence[float], end: Literal["died", "limit"] = "died", *, last: bool = True
) -> list[Row]:
    """An episode with these rewards; last: whether the frame after its last step is there."""
    stop = len(rewards) - 1
    rows = [Row(episode, t, reward, end if t == stop else "") for t, reward in enumerate(rewards)]
    return [*rows, Row(episode, len(rewards), 0.0, "last")] if last else rows


def picture(row: Row) -> NDArray[np.uint8]:
    """(1, 1, 2): the time, and the episode, both from 1, so that a frame of zeros is none of them."""
    return np.array([[[row.t + 1, row.episode + 1]]], np.uint8)


def store(replay: Replay, rows: Iterable[Row]) -> None:
    """Add rows to a replay."""
    for row in rows:
        if row.end == "last":
            replay.add_last(picture(row), row.t)
        else:
            died, limit = row.end == "died", row.end == "limit"
            replay.add(picture(row), row.t % 3, row.reward, died=died, cut_off=limit, since_start=row.t)


def small_replay(capacity: int, segments: ReturnSegments | None = None, **settings: Any) -> Replay:
    """A replay of such pictures."""
    shape = {"stack": settings.pop("stack", 4), "padding": settings.pop("padding", "zero")}
    return Replay(capacity, Shape((1, 1, 2), **shape), segments=segments, **settings)


class Game:
    """Frames that show the time; every third step asks for one of the actions, shown by the rows that are lit, and pays
    for it. Ends by itself after 10 steps, or by a limit after 10, in turns. Continuous actions pay by their mean."""

    def __init__(self, world: World) -> None:
        self.world, self.episode, self.t = world, 0, 0

    def frame(self) -> NDArray[np.uint8]:
        """What is seen now."""
        found = np.full(self.world.frame, 10 * self.t, np.uint8)
        found[:, :: 2 + (self.t // 3) % 3] = 250
        return found

    def step(self, action: Any) -> tuple[float, bool, bool]:
        """Reward, died, cut off."""
        paid = float(np.mean(action)) if not self.world.discrete else float(action == (self.t // 3) % 3)
        reward = paid if self.t % 3 == 2 else 0.0
        self.t += 1
        over = self.t == 10
        return reward, over and self.episode % 2 == 0, over and self.episode % 2 == 1

    def again(self) -> None:
        """The next episode."""
        self.episode, self.t = self.episode + 1, 0


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


class Life(Stream[Experience]):
    """An agent's experience: `before` steps at random, then one of its own for each batch. Draws are functions of the
    seed and the number of the batch."""

    def __init__(self, agent: Agent, *, seed: int = 0, capacity: int = 400, before: int = 300, batch: int = 8) -> None:
        self.agent, self.seed, self.batch, self.game = agent, seed, batch, Game(agent.world)
        world, self.waited, self.steps, self.batches = agent.world, 0.0, 0, 0
        shape = Shape(world.frame, True, 0 if world.discrete else world.actions, world.stack, agent.padding)
        settings = {"n_step": agent.n_step, "gamma": agent.gamma, "alpha": agent.alpha}
        self.replay = Replay(capacity, shape, segments=agent.index(capacity), **settings)
        self.taken: list[Any] = []
        self.weights: list[Tensor] = []
        for _ in range(before):
            self.live(lambda n, rng: agent.random_action(rng))

    def __len__(self) -> int:
        return 1000

    def live(self, choose: Any) -> None:
        """One step of the game."""
        frame = self.game.frame()
        action = choose(self.steps, np.random.default_rng(derive(self.seed, "random", self.steps)))
        t, (reward, died, cut_off) = self.game.t, self.game.step(action)
        self.replay.add(frame, action, reward, died=died, cut_off=cut_off, since_start=t)
        if died or cut_off:
            self.replay.add_last(self.game.frame(), self.game.t)
            self.game.again()
        self.steps += 1

    def chosen(self, number: int, rng: np.random.Generator) -> Any:
        """The agent's own action, from what it sees."""
        known = self.replay.states(np.array([self.replay.position - 1]))[0] if self.game.t else None
        frame, stack = self.game.frame(), self.agent.world.stack
        rest = [frame] * (stack - 1) if known is None else [known[-frame.shape[0] * (stack - 1) :]]
        action = self.agent.act(np.concatenate([*rest, frame]), generator(self.seed, "act", number), explore=True)
        self.taken.append(np.array(action))
        return action

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[Experience]:
        for _ in index_batches:
            self.live(self.chosen)
            yield self.experience()
            self.batches += 1

    def experience(self) -> Experience:
        """The next batch."""
        drawn = self.replay.draw(
            self.batch, np.random.default_rng(derive(self.seed, "draw", self.batches)), self.agent.beta
        )
        pairs = dict[str, PairStates]()
        for addition in self.agent.additions:
            if self.replay.segments is not None:
                rng = np.random.default_rng(derive(self.seed, "pairs", addition.name, self.batches))
                if (found := addition.draw(self.replay.segments, rng)) is not None:
                    pairs[addition.name] = pair_states(self.replay, found)
        states, after = (torch.from_numpy(self.replay.states(p)) for p in (drawn.positions, drawn.after))
        rest = [torch.from_numpy(a) for a in (drawn.action, drawn.gain, drawn.discount, drawn.weights)]
        self.weights.append(rest[-1])
        return Experience(torch.from_numpy(drawn.positions), states, after, *rest, pairs)

    def heed(self, batch: Batch, losses: Losses) -> None:
        if losses.each is not None:
            self.replay.heed(batch.index.numpy(), losses.each.double().numpy())

    def state_dict(self) -> dict[str, Any]:
        parts = {"replay": self.replay.state_dict()}
        if self.replay.segments is not None:
            parts["segments"] = self.replay.segments.state_dict()
        counted = {"steps": self.steps, "batches": self.batches + 1, "episode": self.game.episode, "t": self.game.t}
        return as_tensors(parts) | {"frames": torch.from_numpy(self.replay.frames.copy()), "counted": counted}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.replay.load_state_dict(state["replay"])
        if self.replay.segments is not None:
            self.replay.segments.load_state_dict(state["segments"])
        self.replay.frames[:] = state["frames"]
        counted = state["counted"]
        self.steps, self.batches = counted["steps"], counted["batches"]
        self.game.episode, self.game.t = counted["episode"], counted["t"]


def pair_states(replay: Replay, pairs: Pairs) -> PairStates:
    """The states and actions of drawn pairs, each negative for itself."""
    found = list[Tensor]()
    for positions in (pairs.anchor, pairs.positive, pairs.negative):
        found += [
            torch.from_numpy(replay.states(positions)),
            torch.from_numpy(replay.action[positions % replay.capacity]),
        ]
    partner = len(pairs) + torch.arange(len(pairs))
    return PairStates(*found, partner, torch.from_numpy(pairs.different))


def as_tensors(state: Any) -> Any:
    """Arrays as tensors, as a checkpoint keeps them."""
    if isinstance(state, dict):
        return {name: as_tensors(value) for name, value in state.items()}
    return torch.from_numpy(state) if isinstance(state, np.ndarray) else state


def run_agent(folder: Path, agent: Agent, steps: int = 12, life: Life | None = None, **settings: Any) -> Outcome:
    """Train an agent through the loop of the house."""
    plan = Plan(
        **({"batch_size": 8, "steps": steps, "lr": 1e-3, "optimizer": "adam", "weight_decay": 0.0, "clip": 10.0,
            "schedule": "constant", "log_every": 4, "save_every": 1e9} | settings)
    )  # fmt: skip
    fabric = make_fabric(1, accelerator="cpu")
    fabric.launch()
    run = RunFolder.open(folder, {"method": "tiny", **vars(plan)})
    try:
        stream = life or Life(agent, seed=plan.seed)
        return train(agent, stream, lambda batch, _: batch.views(), plan, run, fabric, quiet=True)
    finally:
        run.close()
