"""Pictures with a mask each, from two sources: folders, or two columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList
from twofold.images.labels.pictures import (
    Frame,
    frames_of,
    in_threads,
    nearest_rows,
    read_picture,
    settle_rule,
    whereabouts,
)
from twofold.images.labels.records import IGNORE, Labelled, Tally
from twofold.images.labels.sheets import Sheet, Values, read_sheet
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.tables import USUAL_IGNORE, Scan, Table, channel_of, count
from twofold.images.labels.turning import Fit, fit_all
from twofold.images.labels.values import Meaning, settle
from twofold.images.reading.source import Source
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.words import digest

DEEP = 4  # pixels from the edge of a region from where on it is more than a border
GREYS = tuple(v << 16 | v << 8 | v for v in range(256))


@dataclass(frozen=True)
class Pair:
    """A picture and its mask, as rows of their sources."""

    row: int
    mask: int
    frame: Frame
    fit: Fit


@dataclass(frozen=True)
class Agreed:
    """What values mean, and how they are brought to one form. by_palette, by_grey: numbers of palettes, or of grey,
    stand for their colours. channel: colours stand for numbers: "grey" or "red", else "".
    """

    meaning: Meaning
    by_palette: bool
    by_grey: bool
    channel: str

    def of_scan(self, scan: Scan) -> Scan:
        """A scan in that form."""
        return _brought(scan, self.by_palette, self.by_grey, self.channel)

    def of_sheet(self, sheet: Sheet) -> Values:
        """The values of a mask in that form."""
        if sheet.colours:
            return sheet.values >> 16 if self.channel else sheet.values
        palette = sheet.palette if self.by_palette else ()
        palette = GREYS if self.by_grey and not sheet.palette else palette
        return np.array(palette, np.int64)[np.clip(sheet.values, 0, len(palette) - 1)] if palette else sheet.values


class Masked(Survey):
    """Pictures with masks. rows: of pictures and masks, pair by pair."""

    kind = "masks"

    def __init__(
        self, name: str, pictures: Source, masks: Source, rows: Sequence[tuple[int, int]], classes: ClassList | None,
        notes: Notes, wishes: Wishes,
    ) -> None:  # fmt: skip
        self.name, self.pictures, self.masks, self.classes = name, pictures, masks, classes
        self.notes, self.wishes = notes, wishes
        settle_rule(pictures, notes)
        frames = frames_of(pictures, [row for row, _ in rows])
        scans = in_threads(lambda k: self._scan(rows[k][1]), range(len(rows)))
        kept: list[tuple[tuple[int, int], Frame, Scan, tuple[int, int]]] = []
        for (row, mask), frame, scan in zip(rows, frames, scans, strict=True):
            if isinstance(frame, str):
                notes.add("pictures that cannot be read, left out with their masks", f"{pictures.names[row]}, {frame}")
            elif isinstance(scan, str):
                notes.add("masks that cannot be read, left out with their pictures", f"{masks.names[mask]}, {scan}")
            else:
                kept.append(((row, mask), frame, *scan))
        if not kept:
            reason = next((one for one in (*scans, *frames) if isinstance(one, str)), "there are none")
            raise UserError(
                f"{name}: none of its {len(rows):,} pictures with masks can be read ({reason}): check them."
            )
        names = [pictures.names[row] for (row, _), *_ in kept]
        frames_kept, sizes = [one[1] for one in kept], [one[3] for one in kept]
        fits = fit_all(name, names, frames_kept, sizes, [None] * len(kept), notes)
        self.pairs = [Pair(*one[0], one[1], fit) for one, fit in zip(kept, fits, strict=True)]
        self.scans = [one[2] for one in kept]

    def _scan(self, row: int) -> tuple[Scan, tuple[int, int]] | str:
        """What stands in a mask, and its (height, width); or why it cannot be read."""
        try:
            sheet = read_sheet(self.masks.fetch(row))
        except DecodeError as error:
            return error.reason
        table = count(sheet.values)
        whole = (sheet.values >> 16 if sheet.colours else sheet.values) == USUAL_IGNORE
        inner = _inner(whole) if whole.any() else 0
        name, lossy = self.masks.names[row], bool(sheet.lossy)
        found = Scan(name, table, sheet.colours, sheet.palette, lossy, sheet.fractional, inner)
        return found, (sheet.values.shape[0], sheet.values.shape[1])

    def agree(self, other: Masked | None) -> Agreed:
        """What the values of both mean together."""
        scans = [*self.scans, *(other.scans if other else [])]
        classes, name = self.classes or (other.classes if other else None), self.name
        if other is not None:
            name = self.name if other.name == self.name else f"{self.name} with {other.name}"
            if self.classes and other.classes and _meant(self.classes) != _meant(other.classes):
                both = f"{self.classes.where} and {other.classes.where}"
                raise UserError(f"{both} list different classes: give one list for both with --classes.")
        by_palette, by_grey = _numbers_are_colours(scans, classes)
        channel = "" if classes is not None and classes.colours is not None else channel_of(scans)
        if channel:
            where = "grey stored in three channels" if channel == "grey" else "the number in the red channel"
            self.notes.say(f"Masks are RGB, read as class numbers: {where}.")
        table = Table.of([_brought(scan, by_palette, by_grey, channel) for scan in scans])
        meaning = settle(name, table, classes, self.wishes.ignore, self.wishes.snap, self.notes)
        return Agreed(meaning, by_palette, by_grey, channel)

    def pictures_at(self) -> list[str]:
        """See `Survey`."""
        return whereabouts(self.pictures, [pair.row for pair in self.pairs])

    def labelled(self, agreed: Agreed) -> Labelled:
        """The pictures with their masks; a class that never occurs is named."""
        tallies = _tallies(Table.of([agreed.of_scan(scan) for scan in self.scans]), agreed.meaning)
        occurring = {tally.name for tally in tallies if tally.count}
        never = [name for name in agreed.meaning.classes if name not in occurring]
        if never:
            number = len(agreed.meaning.classes)
            self.notes.say(f"{len(never)} of {number} classes never occur in {self.name}: {listed(never, 12)}.")
        stamp = (self.pictures.fingerprint(), self.masks.fingerprint(), agreed, len(self.pairs))
        return Labelled(
            self.name,
            agreed.meaning.classes,
            [self.pictures.names[pair.row] for pair in self.pairs],
            self.notes.sentences(),
            self._picture,
            lambda i: self._mask(i, agreed),
            tallies=tallies,
            mark=digest(stamp),
        )

    def _picture(self, i: int, short_side: int | None) -> Tensor:
        pair = self.pairs[i]
        return read_picture(self.pictures, pair.row, 1 if pair.fit.turned else pair.frame.turn, short_side)

    def _mask(self, i: int, agreed: Agreed) -> Tensor:
        pair = self.pairs[i]
        name = self.masks.names[pair.mask]
        try:
            mask = agreed.meaning.apply(agreed.of_sheet(read_sheet(self.masks.fetch(pair.mask))))
        except DecodeError as error:
            raise UserError(f"{name} of {self.name} cannot be read ({error.reason}): mend or remove it.") from error
        except KeyError as error:
            raise UserError(f"{name} has the value {error}, which it had not before: start again.") from error
        return nearest_rows(mask, *pair.fit.size)


def _meant(classes: ClassList) -> tuple[object, ...]:
    return classes.names, classes.values, classes.colours


def _inner(where: np.ndarray) -> int:
    """How many pixels have only their like around them, 4 px in each direction; the picture's edge is no edge."""
    side = 2 * DEEP + 1
    padded = np.pad(where, DEEP, mode="edge").astype(np.int32)
    sums = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    count = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return int((count == side * side).sum())


def _numbers_are_colours(scans: Sequence[Scan], classes: ClassList | None) -> tuple[bool, bool]:
    """Whether the numbers of palette masks, and of grey ones, stand for colours of the list."""
    if classes is None or classes.colours is None:
        return False, False
    known = set(classes.colours)
    palette = [one for scan in scans if scan.palette for one in scan.through(scan.palette).counts]
    plain = [scan for scan in scans if not scan.palette and not scan.colours]
    grey = [one for scan in plain for one in scan.through(GREYS).counts]
    beyond = any(value >= len(classes.names) for scan in plain for value in scan.counts)
    return bool(palette) and set(palette) <= known, beyond and set(grey) <= known


def _brought(scan: Scan, by_palette: bool, by_grey: bool, channel: str) -> Scan:
    palette = scan.palette if scan.palette and by_palette else GREYS if by_grey and not scan.palette else None
    return scan.in_channel() if channel else scan.through(palette)


def _tallies(table: Table, meaning: Meaning) -> tuple[Tally, ...]:
    """Pixels of each value, in the order of the classes, the ignored ones last; snapped values are in none of them."""
    counts = table.colours if meaning.colours else table.numbers
    out = []
    for value, number in sorted(meaning.number.items(), key=lambda kv: (kv[1] == IGNORE, kv[1], kv[0])):
        name = "ignored" if number == IGNORE else meaning.classes[number]
        if counts[value] or number != IGNORE:
            out.append(Tally(meaning.value_text(value), name, counts[value], table.masks[value], "pixels"))
    return tuple(out)
