"""Pictures with a mask each, from two sources: folders, or two columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList
from twofold.images.labels.pictures import Frame, frames_of, in_threads, nearest_rows, read_picture
from twofold.images.labels.records import IGNORE, Labelled, Tally
from twofold.images.labels.sheets import Sheet, Values, read_sheet
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.tables import USUAL_IGNORE, Scan, Table, count
from twofold.images.labels.turning import Fit, fit_all
from twofold.images.labels.values import Meaning, settle
from twofold.images.reading.source import DecodeError, Source, digest

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
    """What values mean, and which numbers stand for colours: those of palettes, those of greys."""

    meaning: Meaning
    by_palette: bool
    by_grey: bool


class Masked(Survey):
    """Pictures with masks. rows: of pictures and masks, pair by pair."""

    kind = "masks"

    def __init__(
        self, name: str, pictures: Source, masks: Source, rows: Sequence[tuple[int, int]], classes: ClassList | None,
        notes: Notes, wishes: Wishes,
    ) -> None:  # fmt: skip
        self.name, self.pictures, self.masks, self.classes = name, pictures, masks, classes
        self.notes, self.wishes = notes, wishes
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
        inner = 0 if sheet.colours or USUAL_IGNORE not in table else _inner(sheet.values == USUAL_IGNORE)
        name, lossy = self.masks.names[row], bool(sheet.lossy)
        found = Scan(name, table, sheet.colours, sheet.palette, lossy, sheet.fractional, inner)
        return found, (sheet.values.shape[0], sheet.values.shape[1])

    def agree(self, other: Masked | None) -> Agreed:
        """What the values of both mean together."""
        scans = [*self.scans, *(other.scans if other else [])]
        classes = self.classes or (other.classes if other else None)
        by_palette, by_grey = _numbers_are_colours(scans, classes)
        scans = [_through(scan, by_palette, by_grey) for scan in scans]
        wishes = self.wishes
        meaning = settle(self.name, Table.of(scans), classes, wishes.ignore, wishes.snap, self.notes)
        return Agreed(meaning, by_palette, by_grey)

    def labelled(self, agreed: Agreed) -> Labelled:
        """The pictures with their masks; a class that never occurs is named."""
        scans = [_through(scan, agreed.by_palette, agreed.by_grey) for scan in self.scans]
        tallies = _tallies(Table.of(scans), agreed.meaning)
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
            values, colours = _sheet_values(read_sheet(self.masks.fetch(pair.mask)), agreed)
            mask = agreed.meaning.apply(values, colours)
        except DecodeError as error:
            raise UserError(f"{name} of {self.name} cannot be read ({error.reason}): mend or remove it.") from error
        except KeyError as error:
            raise UserError(f"{name} has the value {error}, which it had not before: start again.") from error
        return nearest_rows(mask, *pair.fit.size)


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


def _through(scan: Scan, by_palette: bool, by_grey: bool) -> Scan:
    if scan.palette:
        return scan.through(scan.palette if by_palette else None)
    return scan.through(GREYS if by_grey else None)


def _sheet_values(sheet: Sheet, agreed: Agreed) -> tuple[Values, bool]:
    """The values of a mask as `Meaning.apply` takes them, and whether they are colours."""
    palette = sheet.palette if agreed.by_palette and sheet.palette else ()
    palette = GREYS if agreed.by_grey and not sheet.palette else palette
    if sheet.colours or not palette:
        return sheet.values, sheet.colours
    return np.array(palette, np.int64)[np.clip(sheet.values, 0, len(palette) - 1)], True


def _tallies(table: Table, meaning: Meaning) -> tuple[Tally, ...]:
    """Pixels of each value, in the order of the classes, the ignored ones last; of values that are snapped together."""
    counts = dict(table.numbers if not table.colours else table.colours)
    if meaning.by:
        counts = {}
        for value, n in (*table.numbers.items(), *((c >> 16, n) for c, n in table.colours.items())):
            counts[value] = counts.get(value, 0) + n
    out = []
    for value, number in sorted(meaning.number.items(), key=lambda kv: (kv[1] == IGNORE, kv[1], kv[0])):
        name = "ignored" if number == IGNORE else meaning.classes[number]
        masks = table.masks[value] if not meaning.by else max(table.masks[value], table.masks[value << 16 | (
            (value << 8 | value) if meaning.by == "grey" else 0)])  # fmt: skip
        if counts.get(value, 0) or number != IGNORE:
            out.append(Tally(meaning.value_text(value), name, counts.get(value, 0), masks, "pixels"))
    return tuple(out)
