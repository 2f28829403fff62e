"""What is to be said of episodes that were read: what they lack, and what looks wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.control.episode import Episode

FEW = 10  # rewards, below which no rule is seen in them


class Notes:
    """What is said of a log while it is read: each sentence once, with the first place it is of and how many more."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    def add(self, text: str, place: str = "") -> None:
        """A sentence without its full stop. place: what it is of; "" for the whole log."""
        self._places.setdefault(text, []).extend([place] if place else [])

    def sentences(self) -> list[str]:
        """In order of the alphabet."""
        return [_placed(text, places) for text, places in sorted(self._places.items())]


def _placed(text: str, places: Sequence[str]) -> str:
    more = f", and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"{text}: {places[0]}{more}." if places else f"{text}."


@dataclass
class Counts:
    """Of episodes, while they are read: that both terminated and were truncated, that were cut at a reward that is no
    number. lossy: whether pictures were stored with losses."""

    both: int = 0
    dropped: int = 0
    lossy: bool = False


def counted(count: int) -> str:
    """A number of episodes in words."""
    return f"{count:,} episode{'s' if count != 1 else ''}"


def remarks(episodes: Sequence[Episode], counts: Counts, *, shifted: bool) -> list[str]:
    """A sentence for each thing. shifted: rewards were moved already."""
    found = []
    if counts.lossy:
        found.append("Pictures were stored lossy, as JPEG.")
    lacking = sum(not episode.whole for episode in episodes)
    if lacking:
        found.append(f"{counted(lacking)} without the observation after the last step, as many as steps.")
    cut = sum(episode.cut for episode in episodes)
    if cut:
        stop = "stops" if cut == 1 else "stop"
        found.append(f"{counted(cut)} just {stop}: the last steps' returns are not known, and are left out of bins.")
    if counts.both:
        found.append(f"{counted(counts.both)} both terminated and truncated: taken as terminated.")
    if counts.dropped:
        found.append(f"{counted(counts.dropped)} ended before a reward that is no number.")
    again = _repeated(episodes)
    if again:
        found.append(
            f"{counted(again)} the same as another, bit by bit: what is learned from one is asked about in the other."
        )
    doubled = sum(map(_is_doubled, episodes))
    if doubled * 2 > len(episodes):
        found.append(f"{counted(doubled)} with the last observation twice: what followed the last step is not logged.")
    if not shifted and _looks_shifted(episodes):
        found.append("Rewards follow the action of the row before, as it seems: --reward-shift 1 moves them to theirs.")
    return found


def _repeated(episodes: Sequence[Episode]) -> int:
    """How many are the same as one before; pictures are compared where actions and rewards are the same."""
    alike = dict[bytes, list[Episode]]()
    for episode in episodes:
        alike.setdefault(_hash(episode.actions, episode.rewards), []).append(episode)
    several = [same for same in alike.values() if len(same) > 1]
    return sum(len(same) - len({_hash(one.observations) for one in same}) for same in several)


def copies(episodes: Sequence[Episode], others: Sequence[Episode]) -> int:
    """How many of the first are among the others, bit by bit."""
    known = {_hash(one.actions, one.rewards, one.observations) for one in others}
    return sum(_hash(one.actions, one.rewards, one.observations) in known for one in episodes)


def _hash(*arrays: NDArray[np.generic]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


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
