"""Where the episodes in arrays end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading import names
from twofold.control.reading.remarks import Notes
from twofold.control.reading.stores import Unreadable
from twofold.errors import UserError

LONGEST = 108_000  # steps of a file's one episode whose end nothing tells: frames of the longest one of Atari

Flags = NDArray[Any] | None  # one for each step, or for the last alone


@dataclass(frozen=True)
class Ends:
    """stops: after how many steps each episode is over, the last one included. terminated, truncated: bool (T,)."""

    stops: list[int]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


@dataclass(frozen=True)
class Boundary:
    """How far what the arrays lie in tells an episode's end. called: it. group: one of several groups, or one with a
    number, does. alone: it is the only file, which tells nothing."""

    called: str
    group: bool
    alone: bool


def ends_of(terminated: Flags, truncated: Flags, number: Flags, steps: int, boundary: Boundary, notes: Notes) -> Ends:
    """Where episodes end in so many steps: at flags, and where the number of the episode changes.

    notes: what is to be said is added. Raises Unreadable for flags that do not fit, UserError where nothing tells an
    end.
    """
    flags = [_flags(found, steps) for found in (terminated, truncated)]
    stops = np.flatnonzero(flags[0] | flags[1]) + 1
    told = boundary.group or any(found is not None and found.size == 1 for found in (terminated, truncated, number))
    if number is not None and number.size != 1:
        stops, told = np.union1d(stops, _changes(number, steps, boundary.called, notes)), True
    if not len(stops) and not told and (boundary.alone or steps > LONGEST):
        raise UserError(
            f"{boundary.called} has {steps:,} steps and tells no end of an episode: mark the last step of each by "
            f"{names.ENDS}, or give a file for each episode."
        )
    over = flags[0] | flags[1]
    again = int(np.count_nonzero(over[1:] & over[:-1]))
    if again:
        notes.add(
            "Steps that follow an end are marked as ends themselves, and taken as episodes of one step",
            f"{again:,} of {steps:,} in {boundary.called}",
        )
    return Ends(sorted({*stops.tolist(), steps}), *flags)


def _flags(found: Flags, steps: int) -> NDArray[np.bool_]:
    """Whether the episode ended after each step; one flag alone is of the last."""
    flags = np.zeros(steps, bool)
    if found is None:
        return flags
    if found.dtype.kind not in "biuf" or found.size not in (1, steps):
        raise Unreadable(f"it has {found.size:,} flags of ends, of {found.dtype}, and {steps:,} rewards")
    if not np.isin(found, (0, 1)).all():
        raise Unreadable("its flags of ends have other values than 0 and 1")
    if found.size == 1:
        flags[-1] = bool(found.reshape(-1)[0])
        return flags
    return found.reshape(-1).astype(bool)


def _changes(number: NDArray[Any], steps: int, called: str, notes: Notes) -> NDArray[np.int64]:
    if number.size != steps or number.dtype.kind not in "biufSU":
        raise Unreadable(f"it has {number.size:,} numbers of episodes, of {number.dtype}, and {steps:,} rewards")
    flat = number.reshape(-1)
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise Unreadable("its numbers of episodes are no numbers in some rows")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    again = len(changes) + 1 - len(np.unique(flat))
    if again and 2 * len(changes) > steps:
        raise Unreadable(
            "the steps of its episodes lie among each other, as environments played side by side give them: lay those "
            "of one episode one after the other"
        )
    if again:
        notes.add(
            "Numbers of episodes come again after others, and each run of one number is taken as an episode",
            f"{again:,} times in {called}",
        )
    return changes
