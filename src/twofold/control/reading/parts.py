"""The episodes in a file's arrays, as they lie there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.reading import names
from twofold.control.reading.ends import Boundary, ends_of
from twofold.control.reading.observing import observation_of
from twofold.control.reading.remarks import Notes
from twofold.control.reading.stores import Arrays, Unreadable

LAYOUTS = ("chw", "hwc")


@dataclass(frozen=True)
class Group:
    """Arrays that belong together: one episode, or several one after the other. place: of the group in the file, "" for
    all of it. own: names of the arrays within it. lone: the file has no other."""

    file: str
    place: str
    own: tuple[str, ...]
    lone: bool = False

    @property
    def called(self) -> str:
        """The file and the group, for messages."""
        return f"{self.file}, {self.place}" if self.place else self.file

    def full(self, name: str) -> str:
        """The name of an array in the file."""
        return f"{self.place}/{name}" if self.place else name


@dataclass(frozen=True)
class Part:
    """An episode as it lies in a file. rewards: as many as actions, or one more, of a row that is no step. layout: of
    its pictures, where the file tells it. vectors: the file tells that its actions are none to choose from. lossy: its
    pictures were stored with losses."""

    name: str
    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[Any]
    life_lost: NDArray[np.bool_]
    terminated: bool
    truncated: bool
    layout: str
    vectors: bool
    lossy: bool


def groups_of(arrays: Arrays, file: str) -> list[Group]:
    """The groups of a file that have rewards, in order of their numbers. Raises Unreadable where there are none.

    What lies below such a group belongs to it, also where it is called rewards again.
    """
    known = arrays.names()
    places = {name.rpartition("/")[0] for name in known if name.rpartition("/")[2] in names.REWARDS}
    own: dict[str, list[str]] = {place: [] for place in places if not places.intersection(names.above(place))}
    if not own:
        _refuse_skipped(arrays, names.REWARDS)
        listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        raise Unreadable(f"it has no {' or '.join(names.REWARDS)} (its arrays: {listed or 'none'})")
    for name in known:
        place = next((place for place in names.above(name) if place in own), None)
        if place is not None:
            own[place].append(name[len(place) + 1 :] if place else name)
    return [Group(file, place, tuple(own[place]), len(own) == 1) for place in sorted(own, key=_order)]


def _order(place: str) -> tuple[str, int, str]:
    """Places as texts with a number at their end, 10 after 9."""
    text = place.rstrip("0123456789")
    digits = place[len(text) :].lstrip("0")
    return text, len(digits), digits


def parts_of(arrays: Arrays, group: Group, wanted: str | None, *, alone: bool, notes: Notes) -> Iterator[Part]:
    """The episodes of a group. wanted: the name of the observation, where it has several.

    alone: it lies in the only file, so that what ends its episodes must be told. notes: what is to be said is added.
    Raises Unreadable for what does not fit together, UserError for a choice that the user has to make.
    """

    def read(options: tuple[str, ...]) -> NDArray[Any] | None:
        name = names.first_of(options, group.own)
        if name is None:
            _refuse_skipped(arrays, options, group.place)
            return None
        return arrays.read(group.full(name))

    rewards, actions = _rewards(read(names.REWARDS)), read(names.ACTIONS)
    if actions is None:
        raise _no_actions(arrays, group)
    steps = len(rewards)
    if actions.ndim == 0 or len(actions) != steps:
        raise Unreadable(f"it has {actions.shape[0] if actions.ndim else 1:,} actions and {steps:,} rewards")
    boundary = Boundary(group.called, bool(group.place) and (not group.lone or group.place[-1].isdigit()), alone)
    late, last = read(names.TRUNCATED), read(names.LAST)
    ends = ends_of(read(names.TERMINATED), late if last is None else last, read(names.EPISODE), steps, boundary, notes)
    if late is None and last is None and (bare := names.first_of(names.TERMINATED, group.own)) in names.BARE:
        notes.add(f"Ends are marked by {bare} alone: taken as ends by the task, none as a limit (truncated, timeouts)")
    lives = _lives(read(names.LIFE_LOST), steps)
    observed = observation_of(arrays, group.own, group.full, group.called, wanted, notes)
    name = group.full(observed)
    more = _one_more(arrays.rows(name), steps, len(ends.stops))
    told = _text(read(names.LAYOUT))
    seen = arrays.read(name)
    _, below, leaf = observed.partition("/")
    after = None if more else read(tuple(f"{following}{below}{leaf}" for following in names.NEXT))
    if after is not None:
        _check_following(seen, after, ends.stops, group.called, notes)
    for number, (start, stop) in enumerate(zip([0, *ends.stops], ends.stops, strict=False)):
        rows = slice(start + number * more, stop + (number + 1) * more)
        dead, late_too = bool(ends.terminated[stop - 1]), bool(ends.truncated[stop - 1])
        bare_row = last is not None and not more and late_too  # an observation without a step
        yield Part(
            f"{group.called}, episode {number}" if len(ends.stops) > 1 else group.called,
            seen[rows] if after is None else np.concatenate([seen[rows], after[stop - 1 : stop]]),
            actions[start : stop - bare_row],
            rewards[start:stop],
            lives[start : stop - bare_row],
            dead,
            late_too and not (last is not None and dead),
            told if told in LAYOUTS else "auto",
            _text(read(names.KIND)) == "vectors",
            arrays.is_lossy(name),
        )


def _one_more(rows: int, steps: int, count: int) -> bool:
    """Whether each episode has one observation more than steps."""
    if rows not in (steps, steps + count):
        episodes = f"{count:,} episode{'s' if count > 1 else ''}"
        raise Unreadable(
            f"it has {rows:,} observations for {steps:,} step{'s' if steps > 1 else ''} of {episodes}: log one for "
            f"each step, or one more for each episode"
        )
    return rows > steps


def _check_following(seen: NDArray[Any], after: NDArray[Any], stops: list[int], called: str, notes: Notes) -> None:
    """Hold what is told to follow each step against the observation of the next row; the last of each episode is what
    no row has. Raises Unreadable where it cannot follow."""
    if after.shape != seen.shape or after.dtype.kind not in "biuf":
        raise Unreadable(
            f"its next observations are {after.dtype} of {list(after.shape)}, and its observations {list(seen.shape)}"
        )
    within = [(start, stop - 1) for start, stop in zip([0, *stops], stops, strict=False)]
    other = sum(int(_rows_apart(after[start:stop], seen[start + 1 : stop + 1]).sum()) for start, stop in within)
    if other:
        notes.add(
            "Next observations are not what the next row saw, so that an end of an episode may lack its mark; only "
            "each episode's last is taken of them",
            f"{other:,} of {len(seen) - len(stops):,} in {called}",
        )


def _rows_apart(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((one != other).reshape(len(one), -1).any(1))


def _rewards(found: NDArray[Any] | None) -> NDArray[Any]:
    assert found is not None  # a group is one that has them
    flat = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if flat.ndim != 1 or flat.dtype.kind not in "biuf":
        raise Unreadable(f"its rewards are {found.dtype} of {list(found.shape)}, not one number for each step")
    if not len(flat):
        raise Unreadable("it has no steps")
    return flat


def _lives(found: NDArray[Any] | None, steps: int) -> NDArray[np.bool_]:
    if found is None:
        return np.zeros(steps, bool)
    if found.shape != (steps,) or found.dtype.kind not in "biuf":
        raise Unreadable(f"its life_lost is {found.dtype} of {list(found.shape)}, and it has {steps:,} rewards")
    return found.astype(bool)


def _text(found: NDArray[Any] | None) -> str:
    if found is None or found.ndim:
        return ""
    return found.item().decode("utf-8", "replace") if found.dtype.kind == "S" else str(found)


def _no_actions(arrays: Arrays, group: Group) -> Unreadable:
    below = tuple(f"{name}/" for name in names.ACTIONS)
    leaves = [name for name in group.own if name.startswith(below)]
    if leaves:
        return Unreadable(f"its actions are in several parts (a Dict: {', '.join(leaves[:4])}): log them as one array")
    return Unreadable(f"it has no {' or '.join(names.ACTIONS)}")


def _refuse_skipped(arrays: Arrays, options: tuple[str, ...], place: str | None = None) -> None:
    """What is lacking may be there as something that is never read. place: of the group; anywhere where None."""
    for name, why in arrays.skipped.items():
        above, _, own = name.rpartition("/")
        if own in options and place in (None, above):
            raise Unreadable(f"{name} {why}")
