"""Images that cannot be read: counted, named, refused past a share, and what stands in for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from twofold.errors import UserError
from twofold.images.reading.source import Source, by_reason
from twofold.printable import printable
from twofold.randomness import derive

DRAWS = 100  # replacements tried


class Unreadable:
    """The images of a source that could not be read, with the reasons. Safe to use from threads."""

    def __init__(self, source: Source, most: float) -> None:
        self.source = source
        self.most = most
        self._reasons: dict[int, str] = {}
        self._lock = threading.Lock()

    def __contains__(self, i: int) -> bool:
        return i in self._reasons

    def record(self, i: int, reason: str) -> None:
        """Note an image. UserError once there are more than `most` (share of the set)."""
        with self._lock:
            self._reasons[i] = reason
            found = len(self._reasons)
        if found > self.most * len(self.source) or found == len(self.source):
            raise self.too_many()

    def named(self) -> dict[str, str]:
        """Name, as it may be printed, to reason, in the order of the set."""
        with self._lock:
            return {printable(self.source.names[i]): self._reasons[i] for i in sorted(self._reasons)}

    def too_many(self) -> UserError:
        """The error that names how many and the first of them."""
        found, total = self.named(), len(self.source)
        first = by_reason(found)
        if len(found) == total:
            return UserError(f"{self.source.path} holds {total:,} images, of which none can be read: {first}.")
        return UserError(
            f"{self.source.path} holds {total:,} images, of which {len(found):,} cannot be read, more than the "
            f"{self.most:.3g} of them that max_unreadable allows: {first}."
        )


def stand_ins(i: int, count: int, seed: int) -> Iterator[int]:
    """Image `i` itself, then others to try in its place: a function of (seed, i), never of what was read before."""
    yield i
    for draw in range(DRAWS):
        yield derive(seed, "stand-in", i, draw) % count
