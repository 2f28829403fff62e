"""What stands in a set of masks: which values, how often, in which files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

USUAL_IGNORE = 255
THICK = 0.1  # share of the 255s that lie deep inside 255s, above which they are no border
ENDS = ((0.9, 3), (0.5, 64))  # least share of the pixels that 0 and 255 have, for so many values between at least
STRAY = 0.02  # most share of the pixels that a value between has
MOST_RED = 63  # as a class number in the red channel
GREY_NEAR = 8  # levels by which the channels of grey differ in lossy files
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

    def in_channel(self) -> Scan:
        """The scan with the red channel of its colours as numbers."""
        if not self.colours:
            return self
        counts: Counter[int] = Counter()
        for colour, n in self.counts.items():
            counts[colour >> 16] += n
        return replace(self, counts=counts, colours=False)

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
            if not scan.colours:
                table.inner += scan.inner
                table.alone += USUAL_IGNORE in scan.counts and 1 not in scan.counts
            table.lossy += [scan.name] * scan.lossy
            table.fractional += [scan.name] * scan.fractional
            shown = {v: colour_of(scan.palette, v) for v in scan.counts} if scan.palette and not scan.colours else {}
            table.palettes += [scan.name] * any(seen.setdefault(v, colour) != colour for v, colour in shown.items())
        return table

    def two_valued(self) -> bool:
        """Whether the masks are of 0 and 255 with some values between at the edges, as resizing leaves them."""
        total = sum(self.numbers.values())
        ends = self.numbers[0] + self.numbers[USUAL_IGNORE]
        between = [n for value, n in self.numbers.items() if value not in (0, USUAL_IGNORE)]
        if not (between and self.numbers[0] and self.inner > THICK * self.numbers[USUAL_IGNORE]):
            return False
        rare = max(between) < STRAY * total
        return rare and any(ends >= share * total and len(between) >= least for share, least in ENDS)


def channel_of(scans: Sequence[Scan]) -> str:
    """How the colours of masks are numbers: "grey" where all channels agree (nearly so in lossy files), "red" where
    small numbers stand in the red channel and nothing in the others, else ""."""
    coloured = [scan for scan in scans if scan.colours]
    if not coloured:
        return ""
    if all(_grey(colour, GREY_NEAR if scan.lossy else 0) for scan in coloured for colour in scan.counts):
        return "grey"
    colours = {colour for scan in coloured for colour in scan.counts}
    small = all(c >> 16 <= MOST_RED or c >> 16 == USUAL_IGNORE for c in colours)
    return "red" if small and not any(c & 0xFFFF for c in colours) else ""


def _grey(colour: int, near: int) -> bool:
    channels = colour >> 16, colour >> 8 & 255, colour & 255
    return max(channels) - min(channels) <= near


def count(values: NDArray[np.int64]) -> dict[int, int]:
    """How many pixels have each value."""
    if values.min() >= 0 and values.max() < SMALL:
        counts = np.bincount(values.ravel())
        return {v: int(counts[v]) for v in np.flatnonzero(counts).tolist()}
    found, numbers = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))
