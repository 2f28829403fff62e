"""Data that come in parts: which part each image is of, by the folders and files it lies in, and which are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twofold.errors import UserError
from twofold.parts import Named, chosen, named_among
from twofold.pixels.reading.wanted import UNDIVIDED, Wanted

OTHERS = "others"  # how messages call what is in no part
Folders = dict[str, tuple[str, str]]
_Split = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Selected:
    """Which of some files are read. rows: their numbers, ascending. folders: for each of these its folder without those
    that name parts, None where it is in a part without labels. parts: the part of each. notes: what was decided, a
    sentence each."""

    rows: Sequence[int]
    folders: list[str | None]
    parts: list[str]
    notes: tuple[str, ...]


def select(path: str, names: Sequence[str], wanted: Wanted, what: str = "images") -> Selected:
    """The files that are read of those with these names (slashes between folders), by what is wanted.

    Raises UserError where a part is wanted that there is not.
    """
    owners = [name.rpartition("/")[0] for name in names]
    if wanted.part == "none":
        return Selected(range(len(names)), list(owners), [""] * len(names), ())
    of = find_parts(owners)
    counts = Counter(of[owner][0] for owner in owners)
    parts = pick(path, counts, wanted, what)
    unlabelled = {"unlabelled", *([""] if counts["train"] else [])}
    rows: Sequence[int] = range(len(names))
    if len(parts) < len(counts):
        rows = [i for i, owner in enumerate(owners) if of[owner][0] in parts]
    folders = [None if of[owners[i]][0] in unlabelled else of[owners[i]][1] for i in rows]
    note = said(path, counts, parts, wanted, what)
    return Selected(rows, folders, [of[owners[i]][0] for i in rows], (note,) if note else ())


def pick(path: str, counts: Counter[str], wanted: Wanted, what: str) -> list[str]:
    """The parts that are read. counts: how much there is of each, "" for what is in none."""
    if wanted.part is None:
        return list(counts) if wanted.role == "all" else chosen(counts, wanted.role)
    if wanted.part in UNDIVIDED:
        return list(counts)
    if not counts[wanted.part]:
        has = tally(counts, sorted(counts), what) if set(counts) - {""} else "no parts"
        raise UserError(f"{path} has no part {wanted.part} but {has}; name another by part, or leave it out.")
    return [wanted.part]


def said(path: str, counts: Counter[str], parts: Sequence[str], wanted: Wanted, what: str) -> str:
    """The sentence about what is read and what is left out; "" where there is nothing to tell."""
    left = [part for part in sorted(counts) if part not in parts]
    if not left and len(counts) < 2:
        return ""
    read = f"{path} is in parts: {tally(counts, parts, what)} {'is' if len(parts) == 1 else 'are'} read"
    if not left:
        return f"{read} together"
    if wanted.role != "train":
        return read if wanted.role == "all" else f"{read} to test on"
    return (
        f"{read}, {tally(counts, left, what)} left out; --part takes another or all, and --test or --val {path} takes "
        "the part of that name"
    )


def tally(counts: Counter[str], parts: Iterable[str], what: str) -> str:
    """'train (40 images) and test (10 images)'."""
    words = [f"{part or OTHERS} ({counts[part]:,} {what if counts[part] != 1 else what[:-1]})" for part in parts]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def find_parts(folders: Iterable[str]) -> Folders:
    """The part of each folder ("" for none), and the folder without those in its path that name parts."""
    distinct = set(folders)
    found: Folders = {folder: ("", folder) for folder in distinct}
    while True:
        inner = any(part for part, _ in found.values())
        split = {f: tuple(rest.split("/")) if rest else () for f, (part, rest) in found.items() if part or not inner}
        level, names = _level(split)
        if not names:
            return found
        for folder, parts in split.items():
            if len(parts) > level and parts[level] in names:
                what = names[parts[level]]
                rest = (*parts[:level], *([what.rest] if what.rest else []), *parts[level + 1 :])
                found[folder] = (found[folder][0] or what.part, "/".join(rest))


def _level(split: _Split) -> tuple[int, dict[str, Named]]:
    """The outermost level of folders that says parts, with the names that do; no names where there is none."""
    for level in range(max(map(len, split.values()), default=0)):
        deep = [parts for parts in split.values() if len(parts) > level]
        names = named_among({parts[level] for parts in deep})
        if names and _says_parts(deep, names, level):
            return level, names
    return 0, {}


def _says_parts(deep: Sequence[tuple[str, ...]], names: dict[str, Named], level: int) -> bool:
    """Whether folders of this level are parts, not classes of such names.

    Below folders that differ they are where all of them name parts, of two kinds at least. Beside others of no part,
    "train" alone may be a class of vehicles: it is a part where it has folders and they have none.
    """
    others = {parts[level] for parts in deep} - names.keys()
    kinds = {what.part for what in names.values()}
    if len({parts[:level] for parts in deep}) > 1:
        return not others and len(kinds) > 1
    if others and kinds <= {"train", "unlabelled"} and "train" in kinds:
        nested = {parts[level] for parts in deep if len(parts) > level + 1}
        return bool(nested) and not nested & others
    return True
