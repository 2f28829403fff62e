"""What stands in a set of masks: which values, how often, in which files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

USUAL_IGNORE = 255
MOST_RED = 63  # as a class number in the red channel
SMALL = 2**16  # below it values are counted by their places in a table, which is ten times as fast


@dataclass(frozen=True)
class Scan:
    """What stands in one mask. counts: pixels of each number or colour. inner: pixels of 255 deep inside 255s."""

    name: str
    counts: Mapping[int, int]
    colours: bool
    palette: tuple[int, ...] = ()
    lossy: bool = False
    fractional: bool = False
    inner: int = 0

    def through(self, palette: Sequence[int] | None) -> Scan:
        """The scan with its numbers as colours of a palette, of its own or of greys."""
        if self.colours or palette is None:
            return self
        return replace(self, counts={colour_of(palette, v): n for v, n in self.counts.items()}, colours=True)


def colour_of(palette: Sequence[int], value: int) -> int:
    """The colour of a number; -1 where the palette has none."""
    return palette[value] if 0 <= value < len(palette) else -1


@dataclass
class Table:
    """What stands in a set of masks: pixels and masks of each number and each colour, and how 255 lies.

    inner: pixels of 255 deep inside 255s. alone: masks with 255 and without 1. lossy, fractional, palettes: names of
    such masks; the last of those whose palette gives a number another colour than an earlier one.
    """

    numbers: Counter[int] = field(default_factory=Counter)
    colours: Counter[int] = field(default_factory=Counter)
    masks: Counter[int] = field(default_factory=Counter)  # in how many a value (or colour) occurs
    first: dict[int, str] = field(default_factory=dict)  # value (or colour) -> the first mask with it
    inner: int = 0
    alone: int = 0
    lossy: list[str] = field(default_factory=list)
    fractional: list[str] = field(default_factory=list)
    palettes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, scans: Sequence[Scan]) -> Table:
        """The table of some masks."""
        table = cls()
        seen: dict[int, int] = {}
        for scan in scans:
            (table.colours if scan.colours else table.numbers).update(scan.counts)
            table.masks.update(scan.counts.keys())
            for value in scan.counts:
                table.first.setdefault(value, scan.name)
            table.inner += scan.inner
            table.alone += USUAL_IGNORE in scan.counts and 1 not in scan.counts
            table.lossy += [scan.name] * scan.lossy
            table.fractional += [scan.name] * scan.fractional
            shown = {v: colour_of(scan.palette, v) for v in scan.counts} if scan.palette and not scan.colours else {}
            table.palettes += [scan.name] * any(seen.setdefault(v, colour) != colour for v, colour in shown.items())
        return table

    @property
    def grey(self) -> bool:
        """Whether all colours are grey, so that they may be numbers."""
        return bool(self.colours) and all(c >> 16 == c & 255 and c >> 8 & 255 == c & 255 for c in self.colours)

    @property
    def red(self) -> bool:
        """Whether all colours are small numbers in the red channel."""
        return bool(self.colours) and all(
            c & 0xFFFF == 0 and (c >> 16 <= MOST_RED or c >> 16 == USUAL_IGNORE) for c in self.colours
        )


def count(values: NDArray[np.int64]) -> dict[int, int]:
    """How many pixels have each value."""
    if values.min() >= 0 and values.max() < SMALL:
        counts = np.bincount(values.ravel())
        return {v: int(counts[v]) for v in np.flatnonzero(counts).tolist()}
    found, numbers = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))
