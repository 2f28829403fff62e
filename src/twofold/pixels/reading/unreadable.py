"""Things that cannot be read: counted, named, refused past a share, and what stands in for each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from twofold.errors import UserError
from twofold.pixels.reading.words import by_reason
from twofold.printable import printable, spelled_out
from twofold.randomness import derive

DRAWS = 100  # replacements tried


class Replacement(NamedTuple):
    """A thing that could not be read, by its number, which one stands in for it, and why."""

    number: int
    stand_in: int
    reason: str


class Unreadable:
    """What of some data could not be read, with the reasons. Safe to use from threads.

    path, names: of the data. most: the share that may be unreadable. what: they are, in words.
    """

    def __init__(self, path: str, names: Sequence[str], most: float, what: str = "images") -> None:
        self.path, self.names = path, names
        self.most, self.what = most, what
        self._reasons: dict[int, str] = {}
        self._lock = threading.Lock()

    def __contains__(self, i: int) -> bool:
        return i in self._reasons

    def record(self, i: int, reason: str) -> None:
        """Note one. UserError once there are more than `most` (share of the set)."""
        with self._lock:
            self._reasons[i] = reason
            found = len(self._reasons)
        if found > self.most * len(self.names) or found == len(self.names):
            raise self.too_many()

    def reason(self, i: int) -> str:
        """Why one could not be read."""
        return self._reasons[i]

    def replacements(self, numbers: Iterable[int], replaced: Mapping[int, int]) -> list[Replacement]:
        """Those of some things that could not be read, by what stands in for each."""
        return [Replacement(i, replaced[i], self.reason(i)) for i in numbers if i in replaced]

    def replace(self, found: Iterable[Replacement], replaced: dict[int, int]) -> None:
        """Note those that could not be read elsewhere, and what stands in for them. UserError as in `record`."""
        for one in found:
            replaced[one.number] = one.stand_in
            self.record(one.number, one.reason)

    def named(self) -> dict[str, str]:
        """Name, as it may be printed, to reason, in the order of the set."""
        with self._lock:
            return {printable(self.names[i]): self._reasons[i] for i in sorted(self._reasons)}

    def too_many(self) -> UserError:
        """The error that names how many and the first of them."""
        found, total = self.named(), len(self.names)
        first = by_reason(found)
        if len(found) == total:
            return UserError(f"{self.path} holds {total:,} {self.what}, of which none can be read: {first}.")
        return UserError(
            f"{self.path} holds {total:,} {self.what}, of which {len(found):,} cannot be read, more than the "
            f"{self.most:.3g} of them that max_unreadable allows: {first}."
        )


def as_lines(unreadable: Mapping[str, str]) -> str:
    """Names and reasons as a text file has them, tab between, a line each."""
    return "".join(f"{spelled_out(name)}\t{spelled_out(reason)}\n" for name, reason in unreadable.items())


def stand_ins(i: int, count: int, seed: int) -> Iterator[int]:
    """Number `i` itself, then others to try in its place: a function of (seed, i), never of what was read before."""
    yield i
    for draw in range(DRAWS):
        yield derive(seed, "stand-in", i, draw) % count
