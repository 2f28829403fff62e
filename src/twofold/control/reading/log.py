"""Logged episodes of a path, and what is to be said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twofold.control.episode import Episode
from twofold.control.reading.actions import as_actions, bounded
from twofold.control.reading.frames import as_frames
from twofold.control.reading.parts import Part, parts_of
from twofold.control.reading.stores import Unreadable, files_of, hold, opened
from twofold.errors import UserError

FEW = 10  # rewards, below which no rule is seen in them


@dataclass(frozen=True)
class Log:
    """Episodes that were logged. notes: what was guessed and counted, a sentence each. fingerprint: of their content.
    unreadable: files and episodes that were left out, with the reason."""

    episodes: list[Episode]
    notes: tuple[str, ...]
    fingerprint: str
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass
class _Reading:
    """What is counted while files are read."""

    layout: str
    shift: int
    drops: bool
    lossy: bool = False
    both: int = 0
    dropped: int = 0
    notes: set[str] = field(default_factory=set)


def read_episodes(
    path: str | Path,
    *,
    reward_shift: int = 0,
    on_nan: Literal["refuse", "drop"] = "refuse",
    layout: Literal["auto", "chw", "hwc"] = "auto",
    observation: str | None = None,
) -> Log:
    """The episodes of an .npz or HDF5 file, a Minari data set, or a folder of such.

    After the observation of row t comes action t, and after that reward t; reward_shift 1: reward t came before action
    t. on_nan: what becomes of rewards that are no number. layout: of pictures. observation: which of several parts.
    Raises UserError where nothing can be read, where the user has to choose, and for rewards that are no number.
    """
    files = files_of(Path(path))
    reading = _Reading(layout, reward_shift, on_nan == "drop")
    episodes, unreadable = list[Episode](), dict[str, str]()
    for file in files:
        name = str(file)
        try:
            with opened(file) as arrays:
                for part in parts_of(arrays, name, observation, alone=len(files) == 1):
                    _take(part, reading, episodes, unreadable)
                reading.lossy = reading.lossy or any(map(arrays.lossy, arrays.names()))
        except Unreadable as error:
            unreadable[name] = str(error)
    if not episodes:
        first, why = next(iter(unreadable.items()), (str(path), "it holds none"))
        raise UserError(f"No episode of {path} can be read; {first}: {why}.")
    _check_alike(episodes)
    actions, scaled = bounded([episode.actions for episode in episodes])
    episodes = [replace(episode, actions=own) for episode, own in zip(episodes, actions, strict=True)]
    notes = [*_notes(episodes, reading), *([scaled] if scaled else [])]
    return Log(episodes, tuple(notes), _fingerprint(episodes), unreadable)


def _take(part: Part, reading: _Reading, episodes: list[Episode], unreadable: dict[str, str]) -> None:
    try:
        episode = _episode(part, reading)
    except Unreadable as error:
        unreadable[part.name] = str(error)
        return
    reading.both += episode.terminated and episode.truncated
    episodes.append(episode)
    hold(episode.observations.nbytes, part.name)


def _episode(part: Part, reading: _Reading) -> Episode:
    rewards, steps = _shifted(part.rewards.astype(np.float32), reading.shift), len(part.rewards)
    terminated, truncated = part.terminated, part.truncated
    bad = np.flatnonzero(~np.isfinite(rewards))
    if len(bad):
        if not reading.drops:
            raise UserError(
                f"{part.name}: the reward of step {bad[0]} is {rewards[bad[0]]}: mend the log, or give "
                f"--on-nan drop to end such episodes before."
            )
        reading.dropped += 1
        steps, terminated, truncated = int(bad[0]), False, False
    if not steps:
        raise Unreadable("nothing is left before a reward that is no number")
    layout = reading.layout if reading.layout != "auto" else part.layout
    frames = as_frames(part.observations, layout, part.name, reading.notes)
    return Episode(
        frames[: steps + 1],
        as_actions(part.actions, reading.notes)[:steps],
        rewards[:steps],
        part.life_lost[:steps],
        terminated,
        truncated,
        part.name,
    )


def _shifted(rewards: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Rewards moved to the actions they belong to; what is moved in is 0."""
    if by == 0:
        return rewards
    none = np.zeros(1, np.float32)
    return np.concatenate([rewards[1:], none]) if by > 0 else np.concatenate([none, rewards[:-1]])


def _check_alike(episodes: Sequence[Episode]) -> None:
    """Refuse episodes of several worlds."""
    first = episodes[0]
    for episode in episodes[1:]:
        one, other = first.observations.shape[1:], episode.observations.shape[1:]
        if one != other:
            raise UserError(
                f"{first.name} has observations of {' x '.join(map(str, one))} and {episode.name} of "
                f"{' x '.join(map(str, other))}: give episodes of one environment and size."
            )
        if first.actions.shape[1:] != episode.actions.shape[1:]:
            raise UserError(f"{first.name} and {episode.name} have other kinds of actions: give one environment's.")


def _notes(episodes: Sequence[Episode], reading: _Reading) -> list[str]:
    found = sorted(reading.notes)
    if reading.lossy:
        found.append("Pictures were stored lossy, as JPEG.")
    lacking = sum(not episode.whole for episode in episodes)
    if lacking:
        found.append(f"{_counted(lacking)} without the observation after the last step, as many as steps.")
    cut = sum(episode.cut for episode in episodes)
    if cut:
        stop = "stops" if cut == 1 else "stop"
        found.append(f"{_counted(cut)} just {stop}: the last steps' returns are not known, and are left out of bins.")
    if reading.both:
        found.append(f"{_counted(reading.both)} both terminated and truncated: taken as terminated.")
    if reading.dropped:
        found.append(f"{_counted(reading.dropped)} ended before a reward that is no number.")
    doubled = sum(_is_doubled(episode) for episode in episodes)
    if doubled * 2 > len(episodes):
        found.append(f"{_counted(doubled)} with the last observation twice: what followed the last step is not logged.")
    if reading.shift == 0 and _looks_shifted(episodes):
        found.append("Rewards follow the action of the row before, as it seems: --reward-shift 1 moves them to theirs.")
    return found


def _counted(count: int) -> str:
    return f"{count:,} episode{'s' if count != 1 else ''}"


def _is_doubled(episode: Episode) -> bool:
    """Whether the last observation is that before it, where others change."""
    rows = episode.observations
    if not episode.whole or len(rows) < 3 or not np.array_equal(rows[-1], rows[-2]):
        return False
    return not np.array_equal(rows[-2], rows[-3])


def _looks_shifted(episodes: Sequence[Episode]) -> bool:
    """Whether rewards tell the action of the row before, and not that of their own."""
    if episodes[0].actions.ndim != 1:
        return False
    same, before, every = list[int](), list[int](), list[int]()
    for episode in episodes:
        paid = np.flatnonzero(episode.rewards)
        paid = paid[paid > 0]
        same += episode.actions[paid].tolist()
        before += episode.actions[paid - 1].tolist()
        every += episode.actions.tolist()
    if len(same) < FEW:
        return False
    usual = _purity(every)
    return _purity(before) > max(_purity(same), usual) + 0.3


def _purity(actions: Sequence[int]) -> float:
    """The share of the most frequent action."""
    return float(np.bincount(np.asarray(actions)).max() / len(actions))


def _fingerprint(episodes: Sequence[Episode]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for episode in episodes:
        for array in (episode.observations, episode.actions, episode.rewards, episode.life_lost):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(bytes([episode.terminated, episode.truncated]))
    return digest.hexdigest()
