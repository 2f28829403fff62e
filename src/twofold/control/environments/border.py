"""Steps as they were really made in gymnasium's vector environments, whichever way those begin new episodes."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from twofold.errors import UserError, clause

STAY = 5.0  # seconds that a process is given to end
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
    if not isinstance(envs.single_observation_space, Box):
        raise UserError(
            f"{envs} gives observations of the kind {type(envs.single_observation_space).__name__}: wrap them into a "
            f"Box."
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
                failed = _failed(envs, error, " ".join(str(one.message) for one in told))
                _close(envs)
                which = "An environment" if failed is None else f"Environment {failed}"
                action = np.asarray(actions if failed is None else actions[failed]).tolist()
                raise UserError(
                    f"{which} failed in step {call + 1:,}, at action {action} ({type(error).__name__}: "
                    f"{clause(error)}): mend it; the others are closed."
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


def _failed(envs: Any, error: Exception, told: str) -> int | None:
    """Which environment failed, where several processes play: the one gymnasium names, or whose process has gone."""
    which = re.search(r"Worker-([0-9]+)", told)
    if which:
        return int(which[1])
    if not isinstance(error, (EOFError, OSError)):
        return None
    ends = [process.sentinel for process in _processes(envs)]
    gone = wait(ends, STAY) if ends else []
    return ends.index(gone[0]) if gone else None


def _close(envs: Any) -> None:
    """Close what is left, whatever state it is in, and leave no process behind."""
    processes = _processes(envs)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(STAY)
    with contextlib.suppress(Exception):  # of a broken pipe to one that has gone
        envs.close(**({"terminate": True} if processes else {}))
    envs.closed = True  # or gymnasium tries again, and fails again, when Python clears up


def _processes(envs: Any) -> list[Any]:
    return list(getattr(envs, "processes", ()))
