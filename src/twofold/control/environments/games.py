"""Small games of our own, drawn in a few pixels: for demonstrations, tests and quick comparisons."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
GAMES = ("twofold/Catch-v0", "twofold/CatchNoise-v0", "twofold/Runner-v0", "twofold/Reach-v0")


class Game(gymnasium.Env[Frame, Any]):
    """A game that draws itself as (C, H, W); a subclass gives `begin`, `play` and `draw`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    enlarged = 8

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def begin(self) -> None:
        """A new episode; what is random comes from `self.np_random`."""
        raise NotImplementedError

    def play(self, action: Any) -> tuple[float, bool, bool]:
        """(reward, terminated, truncated)."""
        raise NotImplementedError

    def draw(self) -> Frame:
        """What is seen."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What is told beside it."""
        return {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        super().reset(seed=seed)
        self.begin()
        return self.draw(), self.facts()

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        reward, terminated, truncated = self.play(action)
        return self.draw(), reward, terminated, truncated, self.facts()

    def render(self) -> Any:
        shown = self.draw()[:3]
        colours = shown if len(shown) == 3 else np.repeat(shown[:1], 3, axis=0)
        return colours.transpose(1, 2, 0).repeat(self.enlarged, axis=0).repeat(self.enlarged, axis=1)


class Catch(Game):
    """Something falls down a board of 10 x 10 and is caught, or not: 1 for each catch, 10 drops an episode."""

    side, drops = 10, 10

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(0, 255, (1, self.side, self.side), np.uint8)
        self.action_space = Discrete(3)

    def begin(self) -> None:
        self.column, self.dropped = self.side // 2, 0
        self._drop()

    def play(self, action: Any) -> tuple[float, bool, bool]:
        self.column = min(max(self.column + int(action) - 1, 0), self.side - 1)
        self.row += 1
        if self.row < self.side - 1:
            return 0.0, False, False
        caught = float(self.at == self.column)
        self.dropped += 1
        if self.dropped == self.drops:
            return caught, True, False
        self._drop()
        return caught, False, False

    def draw(self) -> Frame:
        frame = np.zeros((1, self.side, self.side), np.uint8)
        frame[0, self.row, self.at] = 255
        frame[0, self.side - 1, self.column] = 128
        return frame

    def _drop(self) -> None:
        self.row, self.at = 0, int(self.np_random.integers(self.side))


class CatchNoise(Catch):
    """Catch beside six channels that mean nothing: three of noise that is fresh each step, three of noise that stays
    the same throughout an episode, and so tells episodes apart."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(0, 255, (7, self.side, self.side), np.uint8)

    def begin(self) -> None:
        self.lasting = self._noise()
        super().begin()

    def draw(self) -> Frame:
        return np.concatenate([super().draw(), self._noise(), self.lasting])

    def _noise(self) -> Frame:
        return self.np_random.integers(0, 256, (3, self.side, self.side)).astype(np.uint8)


class Runner(Game):
    """A runner changes between four lanes of 12 cells: coins are 1, stones cost 1 and one of 3 lives; 300 steps at
    most."""

    lanes, length, limit = 4, 12, 300

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(0, 255, (3, self.lanes * 3, self.length), np.uint8)
        self.action_space = Discrete(3)

    def begin(self) -> None:
        self.lane, self.lives, self.steps = 1, 3, 0
        self.things = np.zeros((self.lanes, self.length), np.int8)  # 1: coin, 2: stone

    def play(self, action: Any) -> tuple[float, bool, bool]:
        self.lane = min(max(self.lane + int(action) - 1, 0), self.lanes - 1)
        self.things = np.roll(self.things, -1, axis=1)
        self.things[:, -1] = 0
        drawn = self.np_random.random(2)
        if drawn[0] < 0.5:
            self.things[int(self.np_random.integers(self.lanes)), -1] = 1 if drawn[1] < 0.4 else 2
        met = self.things[self.lane, 0]
        self.steps += 1
        self.lives -= int(met == 2)
        return float(met == 1) - float(met == 2), self.lives == 0, self.steps == self.limit

    def draw(self) -> Frame:
        cells = np.zeros((3, self.lanes, self.length), np.uint8)
        cells[0, self.lane, 0] = 255
        cells[1][self.things == 1] = 255
        cells[2][self.things == 2] = 255
        return cells.repeat(3, axis=1)

    def facts(self) -> dict[str, Any]:
        return {"lives": self.lives}


class Reach(Game):
    """A point is pushed to a target on a plane: drawn in 48 x 48 colours, the reward is 1 minus the distance, at least
    0, at each of 100 steps."""

    side, limit = 48, 100
    enlarged = 4

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(0, 255, (3, self.side, self.side), np.uint8)
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def begin(self) -> None:
        self.place, self.target = self.np_random.uniform(-1, 1, 2), self.np_random.uniform(-0.8, 0.8, 2)
        self.speed, self.steps = np.zeros(2), 0

    def play(self, action: Any) -> tuple[float, bool, bool]:
        self.speed = 0.7 * self.speed + 0.08 * np.clip(np.asarray(action, np.float64), -1, 1)
        self.place = np.clip(self.place + self.speed, -1, 1)
        self.steps += 1
        return max(1.0 - float(np.linalg.norm(self.place - self.target)), 0.0), False, self.steps == self.limit

    def draw(self) -> Frame:
        frame = np.full((3, self.side, self.side), 20, np.uint8)
        self._dot(frame, self.target, (40, 200, 60))
        self._dot(frame, self.place, (240, 240, 240))
        return frame

    def _dot(self, frame: Frame, at: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
        x, y = ((at + 1) / 2 * (self.side - 5)).round().astype(int)
        frame[:, y : y + 5, x : x + 5] = np.array(colour, np.uint8)[:, None, None]


def register() -> None:
    """Make the games known to gymnasium."""
    games: tuple[Any, ...] = (Catch, CatchNoise, Runner, Reach)
    for name, made in zip(GAMES, games, strict=True):
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=made)
