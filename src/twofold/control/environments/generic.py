"""Any environment of gymnasium: seen as pictures or vectors, acted in by numbers in [-1, 1] or by choice."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from twofold.control.environments import games
from twofold.control.environments.specification import OWN, Specification
from twofold.control.pictures import channels_last, grey, planes, resize
from twofold.errors import UserError, clause, nearest

Frame = NDArray[np.generic]


class Generic:
    """See `factory.Environment`. What it gives is copied at the border: environments may use their arrays again.

    Pictures are the observation where it is one (or holds exactly one), else what the environment draws.
    """

    def __init__(self, spec: Specification) -> None:
        self.spec, self.repeat = spec, spec.action_repeat or 1
        self.env, self.leaf, self.drawn = _opened(spec)
        self._act_in(self.env.action_space)
        self.pixels = spec.pixels
        self.raw, self.lives = 0, 0
        self.last: Frame = np.empty(0, np.uint8)
        try:
            frame, _ = self.reset(seed=0)
        except gymnasium.error.DependencyNotInstalled as error:
            raise UserError(f"{spec.id} cannot be drawn ({clause(error)}).") from error
        self.frame = frame.shape

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
        low, high = (np.asarray(b, np.float64).reshape(-1) for b in (space.low, space.high))
        if self.spec.action_range is not None:
            least, most = self.spec.action_range
            low, high = np.where(np.isfinite(low), low, least), np.where(np.isfinite(high), high, most)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            at = int(np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))[0])
            raise UserError(
                f"{name} sets no bounds to number {at} of its actions, from {low[at]:g} to {high[at]:g}: "
                f"give --action-range, such as -1,1."
            )
        self.discrete, self.actions = False, len(low)
        self.low, self.high, self.box = low, high, space

    def _unscaled(self, action: NDArray[np.float32]) -> Any:
        """An action in [-1, 1] as the environment's own, in its bounds and of its type."""
        shares = (np.clip(np.asarray(action, np.float64).reshape(-1), -1, 1) + 1) / 2
        own = self.low + shares * (self.high - self.low)
        return own.reshape(self.box.shape).astype(self.box.dtype)

    def _frame(self, seen: Any) -> Frame:
        if not self.spec.pixels:
            return _vector(seen)
        pixels = self.env.render() if self.drawn else seen if self.leaf is None else seen[self.leaf]
        return _picture(np.asarray(pixels), self.drawn, self.spec)


def _picture(pixels: NDArray[Any], drawn: bool, spec: Specification) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)
    own = spec.id.startswith(OWN)
    if pixels.ndim == 3 and not drawn and not own and not channels_last(pixels.shape, spec.layout, spec.id):
        pixels = pixels.transpose(1, 2, 0)
    if own and not drawn:
        pixels = pixels.transpose(1, 2, 0)
    if spec.grey and pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels = grey(pixels)
    if spec.size:
        pixels = resize(pixels, spec.size)
    return planes(np.array(pixels))


def _vector(seen: Any) -> NDArray[np.float32]:
    leaves = [seen[key] for key in sorted(seen)] if isinstance(seen, dict) else [seen]
    return np.concatenate([np.asarray(leaf, np.float32).reshape(-1) for leaf in leaves])


def _opened(spec: Specification) -> tuple[Any, str | None, bool]:
    """(the environment, the part of its observation that is a picture, whether it has to be drawn instead)."""
    games.register()
    try:
        known = gymnasium.spec(spec.id)
    except gymnasium.error.Error as error:
        names = [*gymnasium.registry, *games.GAMES]
        raise UserError(
            f"gymnasium knows no environment {spec.id}.{nearest(spec.id, names)} Install its package, or name its "
            f"module too, as module:Name-v0."
        ) from error
    env = _made(known.id)
    space = env.observation_space
    leaf = _leaf(space, spec)
    if not spec.pixels or leaf is not None or _is_picture(space):
        return env, leaf, False
    env.close()
    return _made(known.id, spec, render_mode="rgb_array"), None, True


def _made(name: str, spec: Specification | None = None, **settings: Any) -> Any:
    try:
        env = gymnasium.make(name, disable_env_checker=True, **settings)
    except ImportError as error:
        raise UserError(f"{name} cannot be made ({clause(error)}): install what it asks for.") from error
    except (gymnasium.error.Error, TypeError, ValueError) as error:
        raise UserError(f"{name} cannot be made ({clause(error)}).") from error
    if settings and "rgb_array" not in (env.metadata.get("render_modes") or ()):
        env.close()
        raise UserError(f"{name} gives no pictures and draws none: give --pixels false for its vectors.")
    return env


def _is_picture(space: Any) -> bool:
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        return False
    in_unit = bool(np.all(space.low == 0) and np.all(space.high == 1))
    return space.dtype in (np.uint8, np.bool_) or (np.issubdtype(space.dtype, np.floating) and in_unit)


def _leaf(space: Any, spec: Specification) -> str | None:
    """The one part of a Dict of observations that is a picture; None of a plain observation."""
    if not isinstance(space, spaces.Dict):
        if not isinstance(space, spaces.Box | spaces.Discrete):
            raise UserError(f"{spec.id} gives observations of the kind {type(space).__name__}: wrap them into a Box.")
        return None
    pictures = [name for name, part in space.items() if _is_picture(part)]
    if spec.pixels and len(pictures) > 1:
        raise UserError(
            f"{spec.id} gives several pictures, {', '.join(pictures)}: wrap it into one that gives the one that counts."
        )
    others = [name for name, part in space.items() if not isinstance(part, spaces.Box)]
    if not spec.pixels and others:
        raise UserError(f"{spec.id} gives {', '.join(others)} beside vectors: wrap it into one that gives a Box.")
    return pictures[0] if spec.pixels and pictures else None
