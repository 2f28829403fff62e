"""Steps as they were really made in gymnasium's vector environments, whichever way those begin new episodes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError

Act = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Step:
    """One step of one of the environments. after: what followed it, in its own episode."""

    number: int
    before: NDArray[Any]
    action: Any
    reward: float
    terminated: bool
    truncated: bool
    after: NDArray[Any]


def steps_of(envs: Any, act: Act, calls: int, *, seed: int = 0) -> Iterator[Step]:
    """Play a vector environment for so many calls, and yield the steps that the environments inside really made.

    Where an environment resets itself one call late (NEXT_STEP), that call's step is none and is left out; where it
    does so at once (SAME_STEP), the last frame is taken from `info["final_obs"]`; where it does not (DISABLED), it is
    reset here. Raises UserError for any other mode, and where an environment fails, with its number.
    """
    mode = getattr(envs.metadata.get("autoreset_mode"), "value", None)
    if mode not in ("NextStep", "SameStep", "Disabled"):
        raise UserError(
            f"{envs} does not say how it begins new episodes (its autoreset_mode is {mode}), so that steps cannot be "
            f"told from resets: use gymnasium >= 1.1."
        )
    seen = np.array(envs.reset(seed=seed)[0])
    resetting = np.zeros(envs.num_envs, bool)
    for call in range(calls):
        actions = act(seen)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                found, rewards, terminated, truncated, info = envs.step(actions)
            except Exception as error:
                envs.close(**({"terminate": True} if hasattr(envs, "processes") else {}))
                which = re.search(r"Worker-([0-9]+)", " ".join(str(one.message) for one in told))
                raise UserError(
                    f"Environment {which[1] if which else '(of one process)'} failed in call {call + 1:,}, at "
                    f"actions {list(actions)} ({type(error).__name__}: {error}); the others are closed."
                ) from error
        found = np.array(found)
        over = terminated | truncated
        for number in np.flatnonzero(~resetting):
            after = found[number]
            if mode == "SameStep" and over[number]:
                after = np.array(info["final_obs"][number])
            ended = bool(terminated[number]), bool(truncated[number])
            yield Step(int(number), seen[number], actions[number], float(rewards[number]), *ended, after)
        if mode == "Disabled" and over.any():
            found = np.array(envs.reset(options={"reset_mask": over})[0])
        resetting = over if mode == "NextStep" else np.zeros_like(over)
        seen = found
