"""The parts that data come in: train, valid, test and what is unlabelled, by the names that files and folders have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from twofold.errors import UserError, nearest

PARTS = ("train", "valid", "test", "unlabelled")
WORDS = {
    **dict.fromkeys(("train", "training", "trainval", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
    **dict.fromkeys(("unlabeled", "unlabelled", "unlabel", "unsup", "unsupervised"), "unlabelled"),
}
# What stands beside such a word and says nothing further: test_set, train2017, val-images.
FILLERS = frozenset(
    (
        *("set", "split", "part", "partial", "data", "dataset", "folder", "dir", "files"),
        *("image", "images", "img", "imgs", "photos", "pictures"),
    )
)
SHARD = re.compile(r"[-_.]?\d+[-_.]of[-_.]\d+.*$", re.IGNORECASE)  # as in train-00000-of-00002-1a2b3c
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")


@dataclass(frozen=True)
class Named:
    """What a name says: a part, and what else stands in the name, "" where nothing does."""

    part: str
    rest: str


def named(name: str) -> Named | None:
    """What the name of a file (without its endings) or folder says of a part, in any case; None where it names none, or
    two."""
    found, rest = [], []
    for token in _TOKEN.findall(SHARD.sub("", name)):
        word = token.lower()
        word = word if word in WORDS else next((word[: -len(f)] for f in FILLERS if word.endswith(f)), word)
        if word in WORDS:
            found.append(WORDS[word])
        elif word and word not in FILLERS:
            rest.append(token)
    return Named(found[0], "_".join(rest)) if len(found) == 1 else None


def named_among(names: Iterable[str]) -> dict[str, Named]:
    """The names beside each other that name a part; one with a further word does so where that word stands in two parts
    (seg_train and seg_test, but not train_station alone)."""
    found = {name: what for name in names if (what := named(name))}
    parts: dict[str, set[str]] = {}
    for what in found.values():
        parts.setdefault(what.rest, set()).add(what.part)
    return {name: what for name, what in found.items() if not what.rest or len(parts[what.rest]) > 1}


def part_called(name: str) -> str:
    """The part that an option names. Raises UserError for a name of none."""
    part = WORDS.get(name.strip().lower())
    if part is None:
        known = (*PARTS, "all", "none")
        raise UserError(f'There is no part "{name}".{nearest(name, known)} Parts: {", ".join(known)}.')
    return part


def chosen(counts: Mapping[str, int], role: str) -> list[str]:
    """The parts that are read where none is named. counts: how much each has; "" stands for what is in none of them.

    role: what for, "train", "valid" or "test". What is unlabelled is learned from, too.
    """
    if role == "test" or role == "valid":
        wanted = next((part for part in (role, "valid", "test") if counts.get(part)), None)
        if wanted:
            return [wanted]
    own = "train" if counts.get("train") else ""
    if counts.get(own):
        return [part for part in (own, "unlabelled") if counts.get(part)]
    return [next(part for part in ("unlabelled", "valid", "test") if counts.get(part))]
