"""From what is asked of an environment to the environment, in one shape whatever its library."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twofold.control.environments.specification import OWN, Specification, is_atari, is_dmc, settled
from twofold.errors import UserError, between_0_and_1, clause

Frame = NDArray[np.generic]


class Environment(Protocol):
    """What an agent acts in. Observations: uint8 pictures (C, H, W), or float32 vectors (D,), the caller's own.

    frame: the shape of one. actions: how many to choose from, or how many numbers in [-1, 1] one is made of, where they
    are not discrete. notes: what was guessed of how it is seen, a sentence each. An episode is a function of the seed
    it is reset with and of the actions.
    """

    frame: tuple[int, ...]
    pixels: bool
    actions: int
    discrete: bool
    notes: tuple[str, ...]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """Begin an episode; with options {"life": True} go on after a life was lost. The record tells "raw_frames", of
        the episode so far."""
        ...

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Observation, reward, terminated, truncated, and a record of "raw_frames" and "life_lost"."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def build(spec: Specification, seed: int) -> Environment:
    """The environment. Raises UserError where its library is missing, it does not exist, or it cannot be seen or acted
    in as asked."""
    full = settled(spec)
    _check(full)
    try:
        import gymnasium  # noqa: F401
    except ImportError as error:
        raise UserError(f'{spec.id} needs gymnasium ({clause(error)}): pip install "twofold[control]".') from error
    if is_atari(full):
        from twofold.control.environments.atari import Atari

        return Atari(full)
    if is_dmc(full):
        from twofold.control.environments.dmc import DMControl

        return DMControl(full, seed)
    from twofold.control.environments.generic import Generic

    return Generic(full)


def world_of(env: Environment) -> tuple[tuple[int, ...], bool, int, bool]:
    """(shape of a frame, whether it is a picture, actions, whether they are chosen among)."""
    return env.frame, env.pixels, env.actions, env.discrete


def _check(spec: Specification) -> None:
    """Refuse what no environment can be asked."""
    between_0_and_1(sticky=spec.sticky)
    least = {"size": 1, "action_repeat": 1, "noops": 0, "frame_cap": 1}
    for name, bound in least.items():
        value = getattr(spec, name)
        if value is not None and value < bound:
            raise UserError(f"{name} must be at least {bound}, not {value}.")
    if is_atari(spec) and not spec.pixels:
        raise UserError(f"{spec.id} is seen as pictures alone: leave out --pixels false.")
    _check_make(spec)
    if spec.action_range is not None:
        low, high = spec.action_range
        if not -math.inf < low < high < math.inf:
            raise UserError(f"--action-range takes a lower and a higher number, as -1,1, not {low:g},{high:g}.")


def _check_make(spec: Specification) -> None:
    """Refuse what would change nothing in an environment of this make."""
    usual = Specification(spec.id)
    others = {
        "Atari's games": () if is_atari(spec) else ("sticky", "noops", "preprocessing"),
        "DMControl's tasks": () if is_dmc(spec) else ("fast_render",),
        "environments of others in gymnasium": () if _is_others(spec) else ("layout", "observation"),
        "boxes of actions": ("action_range",) if is_atari(spec) else (),
    }
    for make, names in others.items():
        for name in names:
            if getattr(spec, name) != getattr(usual, name):
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option} is of {make}, and {spec.id} is none of them: leave it out.")


def _is_others(spec: Specification) -> bool:
    return not (is_atari(spec) or is_dmc(spec) or spec.id.startswith(OWN))
