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
from twofold.control.reading.actions import as_actions, settled
from twofold.control.reading.finding import files_of, opened
from twofold.control.reading.frames import Scales, as_frames
from twofold.control.reading.names import OBSERVATIONS, first_of
from twofold.control.reading.parts import Group, Part, groups_of, parts_of
from twofold.control.reading.remarks import Counts, Notes, counted, remarks
from twofold.control.reading.stores import LINKED, Arrays, Room, Unreadable, check_claim
from twofold.errors import UserError
from twofold.resources import free_memory


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
    """What was asked for, and what has come of it so far."""

    layout: str
    shift: int
    drops: bool
    observation: str | None
    room: Room
    counts: Counts = field(default_factory=Counts)
    scales: Scales = field(default_factory=Scales)
    notes: Notes = field(default_factory=Notes)
    vectors: bool = False
    episodes: list[Episode] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


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
    Raises UserError where nothing can be read, where the user has to choose, for rewards that are no number, and where
    the episodes would take more than 80 % of the free memory.
    """
    _check_choice("layout", layout, ("auto", "chw", "hwc"))
    _check_choice("on_nan", on_nan, ("refuse", "drop"))
    _check_choice("reward_shift", reward_shift, (0, 1, -1))
    files = files_of(Path(path))
    reading = _Reading(layout, reward_shift, on_nan == "drop", observation, Room(free_memory()))
    for file in files:
        try:
            with opened(file, reading.room) as arrays:
                _read_file(arrays, str(file), reading, alone=len(files) == 1)
        except Unreadable as error:
            reading.unreadable[str(file)] = str(error)
    if not reading.episodes:
        first, why = next(iter(reading.unreadable.items()), (str(path), "it holds none"))
        raise UserError(f"No episode of {path} can be read; {first}: {why}.")
    return _log(reading)


def _check_choice(name: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        raise UserError(f"{name} must be {', '.join(map(str, known[:-1]))} or {known[-1]}, not {value!r:.40}.")


def _log(reading: _Reading) -> Log:
    reading.scales.check()
    actions, said = settled([episode.actions for episode in reading.episodes], reading.vectors)
    episodes = [replace(episode, actions=own) for episode, own in zip(reading.episodes, actions, strict=True)]
    _check_alike(episodes)
    notes = [*reading.notes.sentences(), *sorted(reading.scales.notes), *said]
    notes += remarks(episodes, reading.counts, shifted=reading.shift != 0)
    return Log(episodes, tuple(notes), _fingerprint(episodes), reading.unreadable)


def _read_file(arrays: Arrays, file: str, reading: _Reading, *, alone: bool) -> None:
    groups = groups_of(arrays, file)
    links = [name for name, why in arrays.skipped.items() if why == LINKED]
    if links:
        reading.notes.add("Links within files are not followed", f"{len(links):,} in {file}, such as {links[0]}")
    holds = f"{file} with its {counted(len(groups))}" if len(groups) > 1 else file
    reading.room.check(sum(_claimed(arrays, group) for group in groups), holds)
    for group in groups:
        first = len(reading.episodes)
        try:
            with reading.room.lent():
                for part in parts_of(arrays, group, reading.observation, alone=alone, notes=reading.notes):
                    _take(part, reading)
        except Unreadable as error:
            reading.unreadable[group.called] = str(error)
        for episode in reading.episodes[first:]:
            reading.room.take(episode.observations.nbytes + episode.actions.nbytes, episode.name)


def _claimed(arrays: Arrays, group: Group) -> int:
    """Bytes of what was seen in a group, where that can be, and is known before it is looked for."""
    name = first_of(OBSERVATIONS, group.own)
    try:
        found = 0 if name is None else arrays.nbytes(group.full(name))
        check_claim(found, arrays.size)
    except Unreadable:
        return 0
    return found


def _take(part: Part, reading: _Reading) -> None:
    try:
        episode = _episode(part, reading)
    except Unreadable as error:
        reading.unreadable[part.name] = str(error)
        return
    if not np.may_share_memory(episode.observations, part.observations):
        reading.room.take(episode.observations.nbytes, part.name)
    reading.counts.both += episode.terminated and episode.truncated
    reading.counts.dropped += len(episode) < len(part.actions)
    reading.counts.lossy = reading.counts.lossy or part.lossy
    reading.vectors = reading.vectors or part.vectors
    reading.episodes.append(episode)


def _episode(part: Part, reading: _Reading) -> Episode:
    with np.errstate(over="ignore"):
        rewards = _shifted(part.rewards.astype(np.float32), reading.shift)[: len(part.actions)]
    if reading.shift > 0 and len(part.rewards) == len(part.actions):
        reading.notes.add("The reward of each episode's last action lies in no row, so 0 is taken")
    if not len(rewards):
        raise Unreadable("it has an observation and no step")
    steps, terminated, truncated = len(rewards), part.terminated, part.truncated
    bad = np.flatnonzero(~np.isfinite(rewards))
    if len(bad):
        if not reading.drops:
            row = int(bad[0]) + reading.shift
            raise UserError(
                f"{part.name}: the reward of step {row} is {part.rewards[row]}: mend the log, or give --on-nan drop "
                f"to end such episodes before."
            )
        steps, terminated, truncated = int(bad[0]), False, False
    if not steps:
        raise Unreadable("nothing is left before a reward that is no number")
    layout = reading.layout if reading.layout != "auto" else part.layout
    frames = as_frames(part.observations, layout, part.name, reading.scales)
    actions, lives = as_actions(part.actions), part.life_lost
    return Episode(
        frames[: steps + 1], actions[:steps], rewards[:steps], lives[:steps], terminated, truncated, part.name
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


def _fingerprint(episodes: Sequence[Episode]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for episode in episodes:
        for array in (episode.observations, episode.actions, episode.rewards, episode.life_lost):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(bytes([episode.terminated, episode.truncated]))
    return digest.hexdigest()
