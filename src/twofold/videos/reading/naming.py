"""Labels of a list by the names of classes, in words or in numbers that count from wherever they do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twofold.errors import UserError
from twofold.pixels.reading.labels import labels_from_values, numbers_in
from twofold.pixels.reading.places import Place

INDEX = ("classInd.txt", "classes.txt", "labels.txt")
MOST_BYTES = 1 << 24
BEFORE = re.compile(r"(?P<number>[0-9]{1,9})[\s,;:]+(?P<name>.+)")
BEHIND = re.compile(r"(?P<name>.+?)[\s,;:]+(?P<number>[0-9]{1,9})")


@dataclass(frozen=True)
class Named:
    """labels: the class of each video, -1 for none. notes: what was decided, a sentence each."""

    labels: list[int]
    classes: list[str] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Classes:
    """Names of classes in their order, and their numbers where the file tells them."""

    file: Place
    names: list[str]
    numbers: list[int] | None


def labelled(paths: Sequence[str], words: Sequence[str | None], given: Place | None, where: Place) -> Named:
    """Labels of the videos with these paths. words: what the list calls their classes. given: a file of class names;
    one that lies beside the list, `where`, counts where None."""
    classes = classes_beside(given, where)
    names = classes.names if classes else None
    if not any(words):  # a test list of UCF101: the folders are the classes
        words = [path.split("/")[-2] if "/" in path else None for path in paths]
        words = words if len({word for word in words if word}) > 1 or names else [None] * len(words)
    values, notes = numbers_in(words), list[str]()
    numbers = [value for value in values if isinstance(value, int) and value >= 0]
    if classes and numbers:
        meaning, note = _meaning(classes, paths, values)
        if meaning:
            values = [meaning.get(value) for value in values]
        names, notes = (names if meaning else None), [note] if note else []
    elif classes:
        values, notes = _spelled(classes, values)
    labels, known = labels_from_values(values, names)
    return Named([-1] * len(paths) if labels is None else labels.tolist(), known, tuple(notes))


def classes_beside(given: Place | None, where: Place) -> Classes | None:
    """The class names of a file, or of one beside the list. Raises UserError where the file that is given is not
    there."""
    beside = [where.parent().join(name) for name in INDEX]
    file = given or next((candidate for candidate in beside if candidate.is_file()), None)
    if file is None:
        return None
    if not file.is_file():
        raise UserError(f"{file} does not exist: give a file of class names.")
    lines = [line.strip() for line in file.read(MOST_BYTES).decode("utf-8-sig", "replace").splitlines() if line.strip()]
    return _numbered(file, lines) or _numbered(file, lines[1:]) or Classes(file, lines, None)


def _numbered(file: Place, lines: Sequence[str]) -> Classes | None:
    """Classes whose lines have a number each, before the name or behind it."""
    for form in (BEFORE, BEHIND):
        found = [match for line in lines if (match := form.fullmatch(line))]
        pairs = sorted((int(match["number"]), match["name"].strip(" \"'")) for match in found)
        if pairs and len(found) == len(lines) == len(dict(pairs)) == len({name for _, name in pairs}):
            return Classes(file, [name for _, name in pairs], [number for number, _ in pairs])
    return None


def _meaning(classes: Classes, paths: Sequence[str], values: Sequence[object]) -> tuple[Mapping[object, int], str]:
    """Which class each number means, and a sentence about it; nothing where numbers go beyond the names.

    Of the ways to count that hold all numbers, the one that agrees with most of the videos' folders; else the file's
    own numbers, else from 0, but from 1 where the numbers are 1 to N.
    """
    count = len(classes.names)
    own: dict[object, int] = {number: k for k, number in enumerate(classes.numbers or ())}
    zero: dict[object, int] = {k: k for k in range(count)}
    one: dict[object, int] = {k + 1: k for k in range(count)}
    used = {value for value in values if isinstance(value, int) and value >= 0}
    plain = [one, zero] if min(used) == 1 and max(used) == count else [zero, one]
    ways = [way for way in ([own] if own else []) + plain if used <= way.keys()]
    if not ways:
        return {}, f"its labels go beyond the {count:,} names of {classes.file}, which are left out."
    own_words = [spelled(name) for name in classes.names]

    def agreed(way: Mapping[object, int]) -> int:
        return sum(
            own_words[way[value]] in map(spelled, path.split("/")[:-1])
            for path, value in zip(paths, values, strict=True)
            if value in way
        )

    best = max(ways, key=agreed)
    return best, "labels count from 1, as the class names do." if best == one else ""


def _spelled(classes: Classes, words: Sequence[object]) -> tuple[list[object], list[str]]:
    """The numbers of classes that are told in words, and a sentence about words that are no class."""
    number = {spelled(name): i for i, name in enumerate(classes.names)}
    found: list[object] = [number.get(spelled(str(word))) if word is not None else None for word in words]
    strange = [str(word) for word, label in zip(words, found, strict=True) if word is not None and label is None]
    if not strange:
        return found, []
    if len(strange) == sum(word is not None for word in words):
        return list(words), []
    such = f"{len(strange):,} (such as {strange[0]})"
    return found, [f"labels that are no class of {classes.file}: {such}; they count as none."]


def spelled(name: str) -> str:
    """The name of a class as it is compared: Riding_a_bike is riding a bike."""
    return name.replace("_", " ").lower()
