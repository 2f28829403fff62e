"""Experience as an agent makes it: it acts, what follows is stored, and batches are drawn from what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.control.acting.frames import FrameFiles
from twofold.control.acting.player import Made, Player
from twofold.control.experience.pairs import Pairs
from twofold.control.experience.replay import Replay
from twofold.control.lesson import Experience, PairStates
from twofold.control.methods.agent import Agent
from twofold.errors import UserError
from twofold.randomness import derive, generator
from twofold.runs.screen import Lines, print_plainly
from twofold.seam import Batch, Losses, Stream

LARGEST = float(np.finfo(np.float32).max)  # reward that can be stored


@dataclass(frozen=True)
class Rhythm:
    """learn_start: decisions before the first update. train_every: for each update. updates: of the run. batch_size:
    steps that are drawn for one. per_epoch: updates between evaluations. drops: rewards that are no number are left
    out, and counted."""

    learn_start: int
    train_every: int
    updates: int
    batch_size: int
    per_epoch: int
    drops: bool = False


class Online(Stream[Experience]):
    """The experience of an agent in one environment, a batch for each update.

    Everything drawn is a function of the seed and of the decision or the update it is drawn for, so that a run that
    goes on goes on alike: the replay is kept, and the game that was being played is played again up to where it was.
    Where an environment does not repeat itself that game is broken off, and said so. over: the run has ended before,
    and its frames are gone. warn, tell: how the user hears of that, and of long waits.
    """

    def __init__(
        self, player: Player, agent: Agent, replay: Replay, rhythm: Rhythm, *, seed: int, folder: Path
    ) -> None:
        self.player, self.agent, self.replay, self.rhythm, self.seed = player, agent, replay, rhythm, seed
        self.files = FrameFiles(folder, replay)
        self.warn: Callable[[str], None] = print_plainly
        self.tell: Callable[[str], None] = lambda text: None
        self.waited, self.over = 0.0, False
        self.decisions = self.updates = self.frames = self.dropped = 0
        self.open: dict[str, float] = {"games": 0.0, "score": 0.0, "length": 0.0}  # since numbers were last asked for
        self.marked, self.marked_frames, self.marked_updates = time.monotonic(), 0, 0

    @property
    def open_ended(self) -> bool:
        """Whether no weights follow the share of the run, and it has not ended: the replay goes with its end."""
        return self.agent.beta in (0, 1) and self.updates + 1 < self.rhythm.updates

    def __len__(self) -> int:
        return self.rhythm.per_epoch * self.rhythm.batch_size

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[Experience]:
        before = Lines("acting before the first update", self.tell)
        for _ in index_batches:
            began = time.monotonic()
            if self.player.game < 0:
                self.player.begin()
            due = self.rhythm.learn_start + (self.updates + 1) * self.rhythm.train_every
            while self.decisions < due:
                self.decide()
                if not self.updates:
                    before(self.decisions, due)
            self.waited += time.monotonic() - began
            yield self.draw()
            self.updates += 1

    def decide(self) -> None:
        """Make one decision, and store what follows."""
        if self.agent.random_start and self.decisions < self.rhythm.learn_start:
            action = self.agent.random_action(np.random.default_rng(derive(self.seed, "any action", self.decisions)))
        else:
            action = self.agent.act(self.player.state, generator(self.seed, "act", self.decisions), explore=True)
        made = self.player.step(action)
        self.decisions += 1
        self.frames += made.frames
        if np.isfinite(made.reward) and abs(self._earned(made)) <= LARGEST:
            self._store(made, action)
        else:
            self._refuse(made)
        if made.over:
            self._end_game()

    def draw(self) -> Experience:
        """The batch of the next update."""
        if not self.replay.tree.total:
            raise UserError("Nothing that was seen can be learned from yet: give a larger --learn-start.")
        rng = np.random.default_rng(derive(self.seed, "replay", self.updates))
        beta = self.agent.beta + (1 - self.agent.beta) * self.updates / self.rhythm.updates if self.agent.beta else 0.0
        drawn = self.replay.draw(self.rhythm.batch_size, rng, beta)
        return Experience(
            index=torch.from_numpy(drawn.positions),
            states=torch.from_numpy(self.replay.states(drawn.positions)),
            after=torch.from_numpy(self.replay.states(drawn.after)),
            action=torch.from_numpy(drawn.action),
            gain=torch.from_numpy(drawn.gain),
            discount=torch.from_numpy(drawn.discount),
            weights=torch.from_numpy(drawn.weights),
            pairs=draw_all(self.agent, self.replay, self.seed, self.updates),
        )

    def heed(self, batch: Batch, losses: Losses) -> None:
        if self.agent.alpha and losses.each is not None:
            self.replay.heed(batch.index.numpy(), losses.each.double().cpu().numpy())

    def numbers(self) -> dict[str, float]:
        span = max(time.monotonic() - self.marked, 1e-9)
        found: dict[str, float] = {"decisions": self.decisions, "games": self.open["games"]}
        if self.open["games"]:
            found["return"] = self.open["score"] / self.open["games"]
            found["length"] = self.open["length"] / self.open["games"]
        found["frames_per_second"] = (self.frames - self.marked_frames) / span
        found["updates_per_second"] = (self.updates + 1 - self.marked_updates) / span
        if self.dropped:
            found["dropped"] = self.dropped
        if self.replay.segments is not None:
            found["segments"] = len(self.replay.segments.table)
        self.open = dict.fromkeys(self.open, 0.0)
        self.marked, self.marked_frames, self.marked_updates = time.monotonic(), self.frames, self.updates + 1
        return found

    def state_dict(self) -> dict[str, Any]:
        actions = self.player.actions
        state: dict[str, Any] = {
            "decisions": self.decisions,
            "updates": self.updates + 1,  # asked for within an update, when it is behind
            "frames": self.frames,
            "dropped": self.dropped,
            "open": dict(self.open),
            "game": self.player.game,
            "actions": np.stack(actions) if actions else np.zeros(0),
            "digest": self.player.digest,
            "pieces": self.files.save(),
            "replay": self.replay.state_dict(),
        }
        if self.replay.segments is not None:
            state["segments"] = self.replay.segments.state_dict()
        return as_tensors(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.over:
            return
        if not state:
            raise ValueError("it holds no experience")
        known = as_arrays(state)
        self.replay.load_state_dict(known["replay"])
        self.files.load(known["pieces"])
        if self.replay.segments is not None:
            self.replay.segments.load_state_dict(known["segments"])
        for name in ("decisions", "updates", "frames", "dropped"):
            setattr(self, name, int(known[name]))
        self.open = {name: float(known["open"][name]) for name in self.open}
        self.marked_frames, self.marked_updates = self.frames, self.updates
        self.player.repeat(int(known["game"]), list(known["actions"]))
        if self.player.digest != known["digest"]:
            self.warn(
                f"The environment does not repeat itself: game {self.player.game + 1:,} is broken off after "
                f"{len(known['actions']):,} decisions, and the next one begins."
            )
            self.replay.break_off()
            self.player.begin()

    def _store(self, made: Made, action: NDArray[np.generic]) -> None:
        reward = self._earned(made)
        died = made.terminated or made.life_lost
        self.replay.add(made.frame, action, reward, died=died, cut_off=made.cut_off, since_start=made.since_start)
        if made.life_lost or made.cut_off:
            self.replay.add_last(made.after, made.since_start + 1)

    def _earned(self, made: Made) -> float:
        return float(np.clip(made.reward, -1, 1)) if self.agent.clips else made.reward

    def _refuse(self, made: Made) -> None:
        """A reward that is no number: the run ends, or the step is left out and its neighbours are parted."""
        length = len(self.player.actions)
        if not self.rhythm.drops:
            raise UserError(
                f"The reward of step {length:,} of game {self.player.game + 1:,} is {made.reward}: mend the "
                f"environment, or give --on-nan drop to leave such steps out."
            )
        self.dropped += 1
        self.replay.break_off()
        self.player.stack.begin(self.player.stack.newest)

    def _end_game(self) -> None:
        self.open["games"] += 1
        self.open["score"] += self.player.score
        self.open["length"] += len(self.player.actions)
        self.player.begin()


def draw_all(agent: Agent, replay: Replay, seed: int, update: int) -> dict[str, PairStates]:
    """What each addition learns from beside the agent's own batch, by its name."""
    found = dict[str, PairStates]()
    if replay.segments is None:
        return found
    for addition in agent.additions:
        if not addition.weight:
            continue
        rng = np.random.default_rng(derive(seed, "pairs", addition.name, update))
        pairs = addition.draw(replay.segments, rng)
        if pairs is not None:
            found[addition.name] = states_of(pairs, replay)
    return found


def states_of(pairs: Pairs, replay: Replay) -> PairStates:
    """Pairs of positions as states and actions, each step once."""
    order = pairs.positive.argsort(kind="stable")
    at = order[np.searchsorted(pairs.positive, pairs.negative, sorter=order).clip(max=len(order) - 1)]
    lone = np.flatnonzero(pairs.positive[at] != pairs.negative)
    at[lone] = len(pairs) + np.arange(len(lone))
    places = (pairs.anchor, pairs.positive, pairs.negative[lone])
    seen = [torch.from_numpy(replay.states(positions)) for positions in places]
    done = [torch.from_numpy(replay.action[positions % replay.capacity]) for positions in places]
    partner, different = torch.from_numpy(at), torch.from_numpy(pairs.different)
    return PairStates(seen[0], done[0], seen[1], done[1], seen[2], done[2], partner, different)


def as_tensors(value: Any) -> Any:
    """The same with arrays as tensors, which checkpoints hold."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, Mapping):
        return {name: as_tensors(one) for name, one in value.items()}
    return [as_tensors(one) for one in value] if isinstance(value, list) else value


def as_arrays(value: Any) -> Any:
    """The same with tensors as arrays."""
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, Mapping):
        return {name: as_arrays(one) for name, one in value.items()}
    return [as_arrays(one) for one in value] if isinstance(value, list) else value
