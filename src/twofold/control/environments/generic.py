"""Any environment of gymnasium: seen as pictures or vectors, acted in by numbers in [-1, 1] or by choice."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from twofold.control.environments.bounds import bounds_of
from twofold.control.environments.opening import opened
from twofold.control.environments.specification import Specification
from twofold.errors import UserError, clause

Frame = NDArray[np.generic]


class Generic:
    """See `factory.Environment`. What it gives is copied at the border: environments may use their arrays again.

    Pictures are the observation where it is one (or holds exactly one), else what the environment draws.
    """

    def __init__(self, spec: Specification) -> None:
        self.spec, self.repeat, self.pixels = spec, spec.action_repeat or 1, spec.pixels
        self.env, self.sight = opened(spec)
        self._act_in(self.env.action_space)
        self.raw, self.lives = 0, 0
        self.last: Frame = np.empty(0, np.uint8)
        try:
            self.frame = self._tried()
        except UserError:
            raise
        except gymnasium.error.DependencyNotInstalled as error:
            raise UserError(f"{spec.id} cannot be drawn ({clause(error)}).") from error
        except Exception as error:  # it is a stranger's
            raise UserError(
                f"{spec.id} fails in its first steps ({type(error).__name__}: {clause(error)}): mend it, or see that "
                f"its package suits gymnasium {gymnasium.__version__}."
            ) from error

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """See `factory.Environment`."""
        if options and options.get("life"):
            return self.last.copy(), {"raw_frames": self.raw}
        seen, info = self.env.reset(seed=None if seed is None else seed % 2**31)
        self.raw, self.lives = 0, int(info.get("lives", 0))
        self.last = self._frame(seen)
        return self.last.copy(), {"raw_frames": 0}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """See `factory.Environment`."""
        total, terminated, truncated, info = 0.0, False, False, dict[str, Any]()
        made = int(action) + self.start if self.discrete else self._unscaled(action)
        seen: Any = None
        for _ in range(self.repeat):
            seen, reward, terminated, truncated, info = self.env.step(made)
            total += float(reward)
            self.raw += 1
            if terminated or truncated:
                break
        before, self.lives = self.lives, int(info.get("lives", 0))
        lost = self.spec.life_loss and 0 < self.lives < before
        self.last = self._frame(seen)
        capped = self.raw >= self.spec.frame_cap
        facts = {"raw_frames": self.raw, "life_lost": lost and not terminated}
        return self.last.copy(), total, bool(terminated), bool(truncated) or capped, facts

    def close(self) -> None:
        """See `factory.Environment`."""
        self.env.close()

    def _tried(self) -> tuple[int, ...]:
        """The shape of a frame, after two steps that show whether it stays so."""
        first, _ = self.reset(seed=0)
        for _ in range(2):
            frame, _, terminated, truncated, _ = self.step(0 if self.discrete else np.zeros(self.actions, np.float32))
            if frame.shape != first.shape:
                raise UserError(
                    f"{self.spec.id} gives observations of different sizes, {first.shape} and then {frame.shape}: wrap "
                    f"it into one that gives one size."
                )
            if terminated or truncated:
                break
        return first.shape

    def _act_in(self, space: Any) -> None:
        name = self.spec.id
        if isinstance(space, spaces.Discrete):
            self.discrete, self.actions, self.start = True, int(space.n), int(space.start)
            return
        if not isinstance(space, spaces.Box):
            raise UserError(
                f"{name} takes actions of the kind {type(space).__name__}; an agent takes one choice, or a vector of "
                f"numbers (Discrete or Box): wrap it into such."
            )
        bounds = bounds_of(space.low, space.high, self.spec)
        self.discrete, self.actions, self.bounds, self.box = False, len(bounds.low), bounds, space

    def _unscaled(self, action: NDArray[np.float32]) -> Any:
        """An action in [-1, 1] as the environment's own, in its bounds and of its type."""
        own = self.bounds.own(action)
        whole = np.issubdtype(self.box.dtype, np.integer)
        return (np.rint(own) if whole else own).reshape(self.box.shape).astype(self.box.dtype)

    def _frame(self, seen: Any) -> Frame:
        if not self.pixels:
            return self.sight.vector(seen)
        return self.sight.picture(self.env.render() if self.sight.drawn else seen)
