"""Any environment of gymnasium: seen as pictures or vectors, acted in by numbers in [-1, 1] or by choice."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from twofold.control.environments.answers import closed, lives_of, one_flag, one_reward, told
from twofold.control.environments.bounds import bounds_of
from twofold.control.environments.opening import opened
from twofold.control.environments.specification import Specification
from twofold.errors import UserError

Frame = NDArray[np.generic]


class Generic:
    """See `factory.Environment`. What it gives is copied at the border: environments may use their arrays again.

    Pictures are the observation where it is one (or holds exactly one), else what the environment draws.
    """

    def __init__(self, spec: Specification) -> None:
        self.spec, self.repeat, self.pixels = spec, spec.action_repeat or 1, spec.pixels
        with told(spec.id, ""):
            self.env, self.sight = opened(spec)
            self._act_in(self.env.action_space)
        self.raw, self.lives, self.episodes = 0, 0, 0
        self.last: Frame = np.empty(0, np.uint8)
        self.frame = tuple[int, ...]()  # not known before it was seen
        self.frame = self._tried()
        self.notes = self.sight.notes()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """See `factory.Environment`."""
        if options and options.get("life"):
            return self.last.copy(), {"raw_frames": self.raw}
        self.episodes += 1
        with told(self.spec.id, f"the beginning of episode {self.episodes:,}" if self.frame else ""):
            seen, info = self.env.reset(seed=None if seed is None else seed % 2**31)
            self.raw, self.lives = 0, lives_of(info)
            self.last = self._frame(seen)
        return self.last.copy(), {"raw_frames": 0}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """See `factory.Environment`."""
        total, terminated, truncated, lives = 0.0, False, False, 0
        name, seen = self.spec.id, None
        with told(name, f"{self._place()}, at action {np.asarray(action).tolist()}" if self.frame else ""):
            for _ in range(self.repeat):
                made = int(action) + self.start if self.discrete else self._unscaled(action)
                seen, reward, dead, late, info = self.env.step(made)
                total += one_reward(reward, name)
                terminated, truncated, lives = one_flag(dead, name), one_flag(late, name), lives_of(info)
                self.raw += 1
                if terminated or truncated:
                    break
            self.last = self._frame(seen)
        before, self.lives = self.lives, lives
        lost = self.spec.life_loss and 0 < self.lives < before
        capped = self.raw >= self.spec.frame_cap
        facts = {"raw_frames": self.raw, "life_lost": lost and not terminated}
        return self.last.copy(), total, terminated, truncated or capped, facts

    def close(self) -> None:
        """See `factory.Environment`."""
        closed(self.env)

    def _place(self) -> str:
        return f"frame {self.raw + 1:,} of episode {self.episodes:,}"

    def _tried(self) -> tuple[int, ...]:
        """The shape of a frame, after two steps that show whether it stays so."""
        first, _ = self.reset(seed=0)
        if not first.size:
            raise UserError(f"{self.spec.id} gives observations of {first.shape}, in which there is nothing: mend it.")
        for _ in range(2):
            frame, _, terminated, truncated, _ = self.step(0 if self.discrete else np.zeros(self.actions, np.float32))
            self._check_size(first.shape, frame)
            if terminated or truncated:
                break
        self.episodes = 0
        return first.shape

    def _check_size(self, first: tuple[int, ...], frame: Frame) -> None:
        if frame.shape != first:
            raise UserError(
                f"{self.spec.id} gives observations of different sizes, {first} and then {frame.shape}: wrap it into "
                f"one that gives one size."
            )

    def _act_in(self, space: Any) -> None:
        name = self.spec.id
        if isinstance(space, spaces.Discrete):
            if self.spec.action_range is not None:
                raise UserError(f"{name} takes actions to choose from, which have no bounds: leave out --action-range.")
            self.discrete, self.actions, self.start = True, int(space.n), int(space.start)
            return
        if not isinstance(space, spaces.Box):
            raise UserError(
                f"{name} takes actions of the kind {type(space).__name__}; an agent takes one choice, or a vector of "
                f"numbers (Discrete or Box): wrap it into such."
            )
        bounds = bounds_of(space.low, space.high, self.spec)
        self.discrete, self.actions, self.bounds, self.box = False, len(bounds.low), bounds, space
        if not self.actions:
            raise UserError(f"{name} takes actions without any number in them, {space}: there is nothing to learn.")

    def _unscaled(self, action: NDArray[np.float32]) -> Any:
        """An action in [-1, 1] as the environment's own, in its bounds and of its type."""
        own = self.bounds.own(action)
        whole = np.issubdtype(self.box.dtype, np.integer)
        return (np.rint(own) if whole else own).reshape(self.box.shape).astype(self.box.dtype)

    def _frame(self, seen: Any) -> Frame:
        if self.pixels:
            frame: Frame = self.sight.picture(self.env.render() if self.sight.drawn else seen)
        else:
            frame = self.sight.vector(seen)
            if not np.isfinite(frame).all():
                raise UserError(
                    f"{self.spec.id} gives an observation with numbers that are none or infinite, before "
                    f"{self._place()}: mend it."
                )
        if self.frame:
            self._check_size(self.frame, frame)
        return frame
