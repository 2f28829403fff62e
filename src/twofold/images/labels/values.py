"""What the values of a set of masks mean: which are classes, which are ignored, and where only the user can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList, colour_text
from twofold.images.labels.records import IGNORE
from twofold.images.labels.sheets import Values
from twofold.images.labels.tables import SMALL, THICK, USUAL_IGNORE, Table, count

VOID = frozenset({"void", "ignore", "ignored", "unlabeled", "unlabelled", "void/ignore", "ignore_label", "out of roi"})
SHIFTED = "\0"  # the name of 0 where it is void beside names that count from 1
MOST_VALUES = 256  # without a list of classes: more are no classes but a photograph, or numbers of objects


@dataclass(frozen=True)
class Meaning:
    """The class of each value: classes, names by number; number: value -> class or IGNORE; colours: whether values are
    colours; snap: other values count as the nearest."""

    classes: tuple[str, ...]
    number: Mapping[int, int]
    colours: bool
    snap: bool = False

    def value_text(self, value: int) -> str:
        """A value for a person."""
        return colour_text(value) if self.colours else str(value)

    def apply(self, values: Values) -> Tensor:
        """int16 (h, w) of the classes. Values that have none raise KeyError, or are snapped."""
        known = np.array(sorted(self.number), np.int64)
        found = np.array(sorted(count(values)), np.int64)
        classes = [self.number[v if v in self.number else self._nearest(v, known)] for v in found.tolist()]
        if found[0] >= 0 and found[-1] < SMALL:
            table = np.zeros(found[-1] + 1, np.int16)
            table[found] = classes
            return torch.from_numpy(table[values])
        return torch.from_numpy(np.array(classes, np.int16)[np.searchsorted(found, values)])

    def _nearest(self, value: int, known: Values) -> int:
        if not self.snap:
            raise KeyError(value)
        if not self.colours:
            return int(known[np.abs(known - value).argmin()])
        gaps = sum((((known >> s) & 255) - ((value >> s) & 255)) ** 2 for s in (0, 8, 16))
        return int(known[np.asarray(gaps).argmin()])


def settle(
    name: str, table: Table, classes: ClassList | None, ignore: Sequence[int], snap: bool, notes: Notes
) -> Meaning:
    """What the values mean, by the list of classes, by what the user says, or by what they are. Raises UserError where
    that leaves something open, with the values and what to give."""
    _refuse_stray(name, table, classes, snap)
    if table.colours and (classes is None or classes.colours is None):
        raise _colours_unknown(name, table)
    if classes is not None and classes.colours is not None and table.colours:
        if table.numbers:
            raise UserError(
                f"{name} has masks of numbers and masks of colours ({table.first[next(iter(table.numbers))]} and "
                f"{table.first[next(iter(table.colours))]}): save them all in one way."
            )
        return _by_colour(name, table, classes, snap, notes)
    if table.palettes:
        notes.add(
            "palette masks whose palette has other colours than the first's, read by their numbers all the same",
            table.palettes[0],
            len(table.palettes),
        )
    return _by_number(name, table, classes, ignore, snap, notes)


def _refuse_stray(name: str, table: Table, classes: ClassList | None, snap: bool) -> None:
    """Refuse masks whose values are not those that were drawn, but where the user has said which there are."""
    two = table.two_valued() and (classes is None or len(classes.names) <= 2)
    if snap and (classes is not None or two):
        return
    odd = table.lossy or table.fractional
    shown = shares(table.numbers or table.colours, not table.numbers)
    if two and not odd:
        raise UserError(
            f"{name}: masks are of 0 and 255 with {len(table.numbers) - 2:,} values between ({shown}), as resizing "
            f"leaves them: give --snap to take the nearer of the two."
        )
    if not odd:
        return
    why = "in a format that changes values (JPEG or lossy WebP)" if table.lossy else "with values between whole numbers"
    if snap:
        what = "give --classes, too, so that the values to snap to are known"
    else:
        what = f"save them as PNG, or give --snap{'' if two else ' and --classes'} to take the nearest value"
    raise UserError(f"{name}: {len(odd):,} masks are stored {why}, such as {odd[0]} (values {shown}): {what}.")


def shares(values: Mapping[int, int], colours: bool, most: int = 12) -> str:
    """ "0 61.5 %, 1 38.5 %" with the most frequent first."""
    total = max(1, sum(values.values()))
    ordered = sorted(values.items(), key=lambda kv: (-kv[1], kv[0]))
    parts = [f"{colour_text(v) if colours else v} {n / total:.2%}" for v, n in ordered[:most]]
    return ", ".join(parts) + (f" and {len(ordered) - most:,} more" if len(ordered) > most else "")


def _colours_unknown(name: str, table: Table) -> UserError:
    shown = shares(table.colours, True)
    first = sorted(table.colours, key=lambda c: -table.colours[c])[:3]
    lines = ", ".join(f"name{k}:{colour_text(c)}" for k, c in enumerate(first))
    return UserError(
        f"{name} has masks of {len(table.colours):,} colours and no labelmap.txt that names them ({shown}): give "
        f"--classes a file with a line for each class, such as {lines}."
    )


def _by_colour(name: str, table: Table, classes: ClassList, snap: bool, notes: Notes) -> Meaning:
    known = dict(zip(classes.colours or (), classes.names, strict=True))
    strange = Counter({colour: n for colour, n in table.colours.items() if colour not in known})
    if strange and not snap:
        colour = strange.most_common(1)[0][0]
        share = sum(strange.values()) / sum(table.colours.values())
        raise UserError(
            f"{name} has {len(strange):,} colours that {classes.where} lacks, {share:.2%} of the pixels (such as "
            f"{colour_text(colour)}, {strange[colour]:,} pixels, in {table.first[colour]}): add them there, or give "
            f"--snap to take the nearest colour."
        )
    if strange:
        notes.add("pixels of colours that no class has, given to the nearest", "see --snap", sum(strange.values()))
    names = [n for n in classes.names if n.lower() not in VOID]
    if len(names) < len(classes.names):
        notes.say(f"Ignored, by name: {listed(n for n in classes.names if n.lower() in VOID)} of {classes.where}.")
    names = list(dict.fromkeys(names))
    number = {colour: names.index(n) if n in names else IGNORE for colour, n in known.items()}
    return Meaning(tuple(names), number, True, snap)


def _by_number(
    name: str, table: Table, classes: ClassList | None, ignore: Sequence[int], snap: bool, notes: Notes
) -> Meaning:
    numbers = table.numbers
    used = {0, USUAL_IGNORE} if snap and not ignore and table.two_valued() else set(numbers)
    known = _known(used, classes, ignore, notes) if classes is not None else _found(name, used, ignore, notes)
    ignored = set(ignore) | {value for value in (0,) if known.get(value) == SHIFTED}
    if not ignore:
        void = {value for value, one in known.items() if one.lower() in VOID and len(known) > 1}
        if void:
            notes.say(
                f"Ignored, by name: {listed(f'{known[v]} ({v})' for v in sorted(void))}; give --ignore-id another "
                f"value to learn it as a class."
            )
        ignored |= void
        if USUAL_IGNORE in used and USUAL_IGNORE not in known:
            _ask_about_255(name, table, numbers)
            ignored.add(USUAL_IGNORE)
            notes.say("Mask value 255 is ignored, as is usual; --ignore-id says otherwise.")
        if -1 in used and -1 not in known:
            ignored.add(-1)
            notes.say("Mask value -1 is ignored.")
    strange = set(numbers) - set(known) - ignored
    if strange and not snap:
        raise _values_unknown(name, numbers, strange, classes, len(known), ignore, table)
    if strange:
        moved = sum(numbers[value] for value in strange)
        notes.add("pixels of values that no class has, given to the nearest", "see --snap", moved)
    kept = {value: one for value, one in known.items() if value not in ignored}
    if not kept:
        raise UserError(
            f"{name} has no class left beside the ignored values ({listed(sorted(ignored))}): change --ignore-id."
        )
    names = list(dict.fromkeys(kept[value] for value in sorted(kept)))
    number = {value: names.index(one) for value, one in kept.items()} | dict.fromkeys(ignored, IGNORE)
    return Meaning(tuple(names), number, False, snap)


def _ask_about_255(name: str, table: Table, numbers: Counter[int]) -> None:
    """Refuse {0, 1, 255} where 255 is more than a border: it may be the object itself."""
    if set(numbers) - {0, 1, USUAL_IGNORE}:
        return
    if table.inner > THICK * numbers[USUAL_IGNORE] or table.alone:
        raise UserError(
            f"{name}: masks have the values {shares(numbers, False)}, and 255 is more than a border, so it may be the "
            f"object or what is ignored: give --ignore-id 255, or --classes such as 0=background,1=one,255=another."
        )


def _found(name: str, used: set[int], ignore: Sequence[int], notes: Notes) -> dict[int, str]:
    """Classes by what the masks hold, where no list names them."""
    values = sorted(used - set(ignore) - {-1})
    if not ignore and set(values) in ({0, USUAL_IGNORE}, {USUAL_IGNORE}):
        notes.say("Mask values 0 and 255 are read as two classes, background and object; --ignore-id says otherwise.")
        return {0: "background", USUAL_IGNORE: "object"}
    if not ignore and len(values) > 1 and USUAL_IGNORE in values:
        values.remove(USUAL_IGNORE)
    if len(values) > MOST_VALUES:
        raise UserError(
            f"{name}: masks have {len(values):,} different values, which no list of classes names; they may be numbers "
            f"of objects or photographs: give the folder of class masks, or --classes."
        )
    notes.say(f"No list names the classes: they are called by their mask values ({listed(values, 12)}).")
    top = max(values, default=0)
    whole = range(top + 1) if min(values, default=0) >= 0 and top < 2 * len(values) else values
    return {value: str(value) for value in whole}


def _known(used: set[int], classes: ClassList, ignore: Sequence[int], notes: Notes) -> dict[int, str]:
    """Classes by a list: its own values, or 0, 1, ...; shifted by one where the masks say that 0 is void."""
    if classes.values is not None:
        return dict(zip(classes.values, classes.names, strict=True))
    names = classes.names
    plain = used - set(ignore) - {-1} - ({USUAL_IGNORE} if not ignore else set())
    two = not ignore and USUAL_IGNORE in used and plain <= {0}
    if two and len(names) <= 2:
        pair = names if len(names) == 2 else ("background", names[0])
        notes.say(
            f"Mask values 0 and 255 are read as two classes, {pair[0]} and {pair[1]}; --ignore-id says otherwise."
        )
        return {0: pair[0], USUAL_IGNORE: pair[1]}
    if plain and max(plain) == len(names) and min(plain) >= 0:
        if len(names) == 1 and 0 in plain:
            notes.say(f'Mask value 0 is read as background beside the one class "{names[0]}".')
            return {0: "background", 1: names[0]}
        if 0 in plain:
            notes.say(
                f"Mask values go to {len(names)} and there are {len(names)} names: 0 is read as void and ignored, "
                f"names count from 1; give --classes with a name for 0 to learn it."
            )
            return {0: SHIFTED} | {k + 1: one for k, one in enumerate(names)}
        notes.say(f"Mask values go from {min(plain)} to {len(names)}, without 0: the {len(names)} names count from 1.")
        return {k + 1: one for k, one in enumerate(names)}
    return dict(enumerate(names))


def _values_unknown(
    name: str,
    numbers: Counter[int],
    strange: set[int],
    classes: ClassList | None,
    known: int,
    ignore: Sequence[int],
    table: Table,
) -> UserError:
    worst = max(strange, key=lambda value: numbers[value])
    where = table.first.get(worst)
    total = shares(numbers, False)
    lacking = "no class has" if classes is None else f"{classes.where} lacks"
    ids = ",".join(map(str, (*ignore, worst)))
    return UserError(
        f"{name}: masks have values that {lacking} ({listed(sorted(strange), 12)}; {worst} in {numbers[worst]:,} "
        f"pixels, such as of {where}) beside {known} classes; all values are {total}: give --ignore-id {ids} "
        f"to leave it out, or --classes with a name for each value."
    )
