"""The episodes in a file's arrays: where they end, and what is theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading import names
from twofold.control.reading.stores import Arrays, Unreadable
from twofold.errors import UserError


@dataclass(frozen=True)
class Part:
    """An episode as it lies in a file. layout: of its pictures, where the file tells it."""

    name: str
    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[Any]
    life_lost: NDArray[np.bool_]
    terminated: bool
    truncated: bool
    layout: str = "auto"


def parts_of(arrays: Arrays, file: str, observation: str | None, *, alone: bool) -> Iterator[Part]:
    """The episodes of a file: one for each group that has rewards, or those that flags or numbers part.

    alone: it is the only file, so that what ends its episodes must be told. Raises Unreadable for what does not fit
    together, UserError for a choice that the user has to make.
    """
    known = arrays.names()
    groups = sorted({name.rpartition("/")[0] for name in known if name.rpartition("/")[2] in names.REWARDS}, key=_order)
    if not groups:
        raise Unreadable(f"it has no rewards (arrays: {', '.join(known[:8]) or 'none'})")
    for group in groups:
        prefix = f"{group}/" if group else ""
        own = [name.removeprefix(prefix) for name in known if name.startswith(prefix)]
        called = f"{file}, {group}" if group else file
        yield from _episodes(arrays, prefix, own, called, observation, explicit=bool(group) or not alone)


def _order(group: str) -> tuple[str, int]:
    digits = group[len(group.rstrip("0123456789")) :]
    return group[: len(group) - len(digits)], int(digits or 0)


def _episodes(
    arrays: Arrays, prefix: str, own: Sequence[str], called: str, observation: str | None, *, explicit: bool
) -> Iterator[Part]:
    def read(options: tuple[str, ...]) -> NDArray[Any] | None:
        name = names.first_of(options, own)
        return None if name is None else arrays.read(prefix + name)

    rewards, actions = read(names.REWARDS), read(names.ACTIONS)
    if actions is None:
        leaves = sorted(
            {name.partition("/")[0] for name in own if name.startswith(tuple(f"{a}/" for a in names.ACTIONS))}
        )
        why = "its actions are in several parts (a Dict)" if leaves else "it has no actions"
        raise Unreadable(f"{why}: log them as one array")
    assert rewards is not None
    rewards = rewards.reshape(-1) if rewards.ndim == 2 and rewards.shape[1] == 1 else rewards
    if rewards.ndim != 1 or rewards.dtype.kind not in "biuf" or not len(rewards):
        raise Unreadable(f"its rewards are {rewards.dtype} of {list(rewards.shape)}, not one number for each step")
    seen = arrays.read(prefix + _observation(own, called, observation))
    flags = [read(names.TERMINATED), read(names.TRUNCATED)]
    lost, number = read(names.LIFE_LOST), read(names.EPISODE)
    steps = len(rewards)
    if len(actions) != steps:
        raise Unreadable(f"it has {len(actions):,} actions and {steps:,} rewards")
    ended = [_flags(flag, steps) for flag in flags]
    cuts = _cuts(
        ended[0] | ended[1], number, steps, called, explicit or any(f is not None and f.ndim == 0 for f in flags)
    )
    lives = np.zeros(steps, bool) if lost is None or len(lost) != steps else lost.astype(bool)
    told = read(names.LAYOUT)
    layout = str(told) if told is not None and str(told) in ("chw", "hwc") else "auto"
    for part in _cut(called, seen, actions, rewards, lives, ended, cuts):
        yield replace(part, layout=layout)


def _observation(own: Sequence[str], called: str, wanted: str | None) -> str:
    """The name of what was seen."""
    plain = names.first_of(names.OBSERVATIONS, own)
    if plain is not None and wanted is None:
        return plain
    parents = tuple(f"{name}/" for name in names.OBSERVATIONS)
    leaves = [name for name in own if name.startswith(parents)]
    if wanted is not None:
        found = next((name for name in own if wanted in (name, name.partition("/")[2])), None)
        if found is None:
            raise UserError(f"{called} has no observation {wanted}; it has {', '.join(leaves) or plain or 'none'}.")
        return found
    if len(leaves) == 1:
        return leaves[0]
    if leaves:
        raise UserError(f"{called} has several observations, {', '.join(leaves)}: say which by --observation.")
    raise Unreadable("it has no observations")


def _flags(found: NDArray[Any] | None, steps: int) -> NDArray[np.bool_]:
    """Whether the episode ended after each step; one flag alone is of the last."""
    flags = np.zeros(steps, bool)
    if found is None:
        return flags
    if found.size == 1:
        flags[-1] = bool(found.reshape(-1)[0])
        return flags
    if found.reshape(-1).shape != (steps,):
        raise Unreadable(f"it has {found.size:,} flags of ends and {steps:,} rewards")
    return found.reshape(-1).astype(bool)


def _cuts(over: NDArray[np.bool_], number: NDArray[Any] | None, steps: int, called: str, explicit: bool) -> list[int]:
    """Where episodes end: after these many steps."""
    ends = np.flatnonzero(over) + 1
    if number is not None and number.size == steps and steps > 1:
        ends = np.union1d(ends, np.flatnonzero(np.diff(number.reshape(-1))) + 1)
    elif not len(ends) and not explicit:
        raise UserError(
            f"{called} has {steps:,} steps and tells no end of an episode: mark the last step of each by {names.ENDS}, "
            f"or give a file for each episode."
        )
    return sorted({*ends.tolist(), steps})


def _cut(
    called: str,
    seen: NDArray[Any],
    actions: NDArray[Any],
    rewards: NDArray[Any],
    lives: NDArray[np.bool_],
    ended: Sequence[NDArray[np.bool_]],
    cuts: Sequence[int],
) -> Iterator[Part]:
    steps, count = len(rewards), len(cuts)
    if len(seen) not in (steps, steps + count):
        raise Unreadable(
            f"it has {len(seen):,} observations for {steps:,} steps of {count:,} episode{'s' if count > 1 else ''}: "
            f"one for each step, or one more for each episode"
        )
    more = len(seen) > steps
    start = 0
    for number, stop in enumerate(cuts):
        shift = number if more else 0
        yield Part(
            f"{called}, episode {number}" if count > 1 else called,
            seen[start + shift : stop + shift + more],
            actions[start:stop],
            rewards[start:stop],
            lives[start:stop],
            bool(ended[0][stop - 1]),
            bool(ended[1][stop - 1]),
        )
        start = stop
