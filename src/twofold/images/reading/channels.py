"""How many channels a set of images has, and which of their levels are black and white: as the user says, else guessed
from a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from twofold.errors import UserError
from twofold.images.reading.decode import stored
from twofold.images.reading.layout import COLOURS
from twofold.images.reading.pixels import UNIT, WHOLE, PixelRule
from twofold.images.reading.source import Source
from twofold.pixels.batch import MOST_CHANNELS
from twofold.pixels.reading.failure import DecodeError
from twofold.resources import usable_cores


class _Levels(NamedTuple):
    """What the values of one image are: bits of each, whether they are integers, the least and the most."""

    bits: int
    whole: bool
    least: float
    most: float


def channels_of(counts: Sequence[int]) -> int | None:
    """How many channels a set has, by those of the images looked at: None where these are not all alike, or as many as
    pictures have, or too many."""
    first = counts[0] if counts else 0
    alike = all(count == first for count in counts)
    return first if alike and 1 < first <= MOST_CHANNELS and first not in COLOURS else None


def keep_channels(
    source: Source, rows: Sequence[int], channels: int, white: float | None, black: float | None, *, guessed: bool
) -> Iterator[str]:
    """Give the source the rule by which so many channels are kept, by a look at the images `rows`; what is to be said
    of it, in lines.

    8 bits and 16 bits keep their levels, floats from 0 to 1 are kept as 16 bits; of other numbers black and white are
    where the sample ends. white, black: what the user says. guessed: whether the user has not said how many channels.
    Raises UserError where none of them has so many.
    """
    found = _look(source, rows, channels)
    deep = white is not None or black is not None or any(one.bits > 8 for one in found)
    levels = [one for one in found if one.bits > 8]
    usual = _usual(levels)
    low, high = usual[0] if black is None else black, usual[1] if white is None else white
    source.pixels = PixelRule(high if deep else None, None, channels, low if deep else 0.0, deep)
    why = " (a guess; --channels sets it)" if guessed else ""
    yield f"channels: {source.pixels.describe()}, kept as they are{why}"
    if levels and (low, high) not in ((0.0, WHOLE), (0.0, UNIT)):
        unsaid = [name for name, value in (("--black", black), ("--white", white)) if value is None]
        why = f" (a guess; {' and '.join(unsaid)} would say it)" if unsaid else ""
        least, most = min(one.least for one in levels), max(one.most for one in levels)
        yield (
            f"levels: {least:,.6g} to {most:,.6g} in {len(levels)} images looked at; {low:,.6g} counts "
            f"as black and {high:,.6g} as white{why}"
        )


def _usual(levels: Sequence[_Levels]) -> tuple[float, float]:
    """Black and white of such values."""
    if not levels:
        return 0.0, WHOLE
    least, most = min(one.least for one in levels), max(one.most for one in levels)
    usual = WHOLE if all(one.whole for one in levels) else UNIT
    if least >= 0 and most <= usual:
        return 0.0, usual
    black = min(least, 0.0)
    return black, most if most > black else black + 1


def _look(source: Source, rows: Sequence[int], channels: int) -> list[_Levels]:
    reasons: list[str] = []

    def look(i: int) -> _Levels | None:
        try:
            values = stored(source.fetch(i), channels)[0]
        except DecodeError as error:
            reasons.append(error.reason)
            return None
        least, most = float(values.min()), float(values.max())
        if not np.isfinite([least, most]).all():
            reasons.append("NaN or infinity among its values")
            return None
        return _Levels(8 * values.dtype.itemsize, values.dtype.kind in "iu", least, most)

    with ThreadPoolExecutor(usable_cores()) as pool:
        found = [one for one in pool.map(look, rows) if one]
    if not found:
        raise UserError(
            f"{source.path}: none of the {len(rows)} images looked at can be read as {channels} channels "
            f"({reasons[0]}): give --channels as many as they have, or mend them."
        )
    return found
