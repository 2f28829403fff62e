"""What is odd in labels, counted by kind with an example of each, as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Notes:
    """Oddities by kind. A kind is a clause such as "boxes clipped to their picture"."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._said: list[str] = []

    def add(self, kind: str, example: str, count: int = 1) -> None:
        """So many more of a kind."""
        if count:
            self._counts[kind] += count
            self._examples.setdefault(kind, example)

    def say(self, sentence: str) -> None:
        """A sentence of its own, once."""
        if sentence not in self._said:
            self._said.append(sentence)

    def count(self, kind: str) -> int:
        """How many of a kind so far."""
        return self._counts[kind]

    def sentences(self) -> tuple[str, ...]:
        """All of it: what was said, then the kinds in the order in which they were first met."""
        counted = [f"{kind}: {n:,} (such as {self._examples[kind]})." for kind, n in self._counts.items()]
        return tuple(" ".join(sentence.split()) for sentence in (*self._said, *counted))


def listed(names: Iterable[object], most: int = 3) -> str:
    """'a, b, c and 4 more'."""
    every = [str(name)[:80] for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
