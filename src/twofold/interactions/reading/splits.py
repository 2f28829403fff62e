"""Interactions in parts: train, valid and test, from files that are given apart or from one file that is split."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twofold.errors import UserError, nearest
from twofold.interactions.reading import cuts
from twofold.interactions.reading.content import check_file
from twofold.interactions.reading.folder import part_files
from twofold.interactions.reading.ids import Ids, settle, union
from twofold.interactions.reading.table import Table, read_table
from twofold.interactions.reading.text import says_lists
from twofold.randomness import derive

SPLITS = ("ratio", "last", "time", "files", "none")
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Interactions:
    """Pairs in parts. user_ids, item_ids: the original ids over all parts. train, valid, test: int64 (n, 2), rows of
    user_ids and item_ids, sorted by user and then item; valid and test are None where there are none. notes: what was
    read and decided, one sentence each. left_out: pairs of the data that are in no part, for their weight or the core,
    user and item as text, also of users that have no row."""

    user_ids: pa.Array
    item_ids: pa.Array
    train: np.ndarray
    valid: np.ndarray | None
    test: np.ndarray | None
    notes: list[str]
    left_out: pa.Table | None = None

    @property
    def users(self) -> int:
        """How many users there are over all parts."""
        return len(self.user_ids)

    @property
    def items(self) -> int:
        """How many items there are over all parts."""
        return len(self.item_ids)


@dataclass
class _Pairs:
    """All pairs of all parts with the part of each (int8: 0 train, 1 valid, 2 test), and times where all have them."""

    users: np.ndarray
    items: np.ndarray
    part: np.ndarray
    time: np.ndarray | None
    user_ids: pa.Array
    item_ids: pa.Array

    def filter(self, keep: np.ndarray) -> None:
        self.users, self.items, self.part = self.users[keep], self.items[keep], self.part[keep]
        self.time = None if self.time is None else self.time[keep]


def open_interactions(
    path: str | os.PathLike[str],
    *,
    val: str | None = None,
    test: str | None = None,
    split: str = "ratio",
    valid_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
    user: str | int | None = None,
    item: str | int | None = None,
    weight: str | int | None = None,
    time: str | int | None = None,
    min_weight: float | None = None,
    core: int = 0,
) -> Interactions:
    """Interactions in parts.

    path: a folder of train, valid and test files, or one file. val, test: files of these parts. Columns and
    min_weight as in `read_table`. Where a valid or test file is given, split is 'files' by itself, and without a
    valid file valid_share of each user's train pairs is cut off at random. One file is split by `split`:

    ratio: of each user's pairs, at random, test_share and valid_share; a function of the seed, the user and that
    user's items. last: each user's latest pair is test, the one before it valid. time: the latest test_share of all
    pairs is test, valid_share before it valid. none: all is train. A share of 0 leaves its part out. With ratio and
    last at least one train pair of each user stays.

    core: only users and items of at least so many pairs, over all parts, are kept (repeated until all have them).
    Pairs of train that are also in valid or test are removed there. Raises UserError.
    """
    _check(split, valid_share, test_share, core)
    files, others = part_files(os.path.expanduser(os.fspath(path)), val, test)
    apart = len(files) > 1
    _check_files(files, split, str(path))
    by_time = split in ("last", "time")
    needs = [
        *(["weight"] if weight is not None or min_weight is not None else []),
        *(["time"] if time is not None or by_time else []),
    ]
    tables = _read(files, needs, user=user, item=item, weight=weight, time=time, min_weight=min_weight)
    notes = [f"{part}: {table.describe()}" if apart else table.describe() for part, table in tables.items()]
    notes += [f"{table.path}: {note}" for table in tables.values() for note in table.notes]
    if others:
        notes.append(f"not read in {path}: {', '.join(others)}")
    pairs = _together(tables)
    notes += _once(pairs)
    if apart:
        _remove_overlap(pairs, notes)
    left_out = [table.disliked for table in tables.values() if table.disliked is not None]
    if core > 1:
        left_out.append(_keep_core(pairs, core, notes))
    if apart:
        if "valid" not in files and valid_share and split != "none":
            _cut_valid(pairs, valid_share, seed, notes)
    else:
        _split(pairs, split, valid_share, test_share, seed, str(path), notes)
    return replace(_finished(pairs, notes), left_out=pa.concat_tables(left_out) if left_out else None)


def fingerprint(interactions: Interactions) -> str:
    """A digest of the ids and of the pairs in each part; notes do not count."""
    state = hashlib.blake2b(digest_size=16)
    for ids in (interactions.user_ids, interactions.item_ids):
        if pa.types.is_integer(ids.type):
            state.update(b"integers" + len(ids).to_bytes(8, "little") + ids.to_numpy().astype("<i8").tobytes())
        else:
            state.update(b"strings" + len(ids).to_bytes(8, "little"))
            state.update(pc.binary_length(ids).to_numpy(zero_copy_only=False).astype("<i8").tobytes())
            state.update("".join(ids.to_pylist()).encode())
    for part in (interactions.train, interactions.valid, interactions.test):
        state.update(b"none" if part is None else b"pairs" + len(part).to_bytes(8, "little"))
        state.update(b"" if part is None else np.ascontiguousarray(part, "<i8").tobytes())
    return state.hexdigest()


def _check(split: str, valid_share: float, test_share: float, core: int) -> None:
    if split not in SPLITS:
        raise UserError(f"There is no split {split}; splits are {', '.join(SPLITS)}.{nearest(split, SPLITS)}")
    for name, share in (("valid_share", valid_share), ("test_share", test_share)):
        if not 0 <= share < 1:
            raise UserError(f"{name} is {share}; it is a share of the pairs, from 0 to below 1.")
    if valid_share + test_share >= 1:
        raise UserError(f"valid_share {valid_share} and test_share {test_share} leave nothing to train on.")
    if core < 0:
        raise UserError(f"core is {core}; it is the least number of pairs of a user or item, 0 for no filter.")


def _check_files(files: dict[str, str], split: str, path: str) -> None:
    apart = len(files) > 1
    if apart and split in ("last", "time"):
        raise UserError(f"split {split} cuts one file, but {_listed(files)} are given; leave out split or the files.")
    if not apart and split == "files":
        raise UserError(f"{path} holds train alone; split files needs a test file too (or split it by ratio or last).")


def _read(files: dict[str, str], needs: list[str], **columns: str | int | float | None) -> dict[str, Table]:
    """The tables by part. Where one of the text files has a line for each user, the others are read so too."""
    has_lists: dict[str, bool | None] = dict.fromkeys(files, False)
    if len(files) > 1 and all(columns[k] is None for k in ("user", "item", "weight", "time")):
        has_lists = {part: check_file(file) == "text" and says_lists(file) for part, file in files.items()}
    lists = any(has_lists.values())
    read: Callable[..., Table] = read_table
    return {
        p: read(files[p], lists=lists and has_lists[p] is not False, needs=needs, **columns)
        for p in PARTS
        if p in files
    }


def _together(tables: dict[str, Table]) -> _Pairs:
    every = list(tables.values())
    user_rows, user_ids = union([t.user_ids for t in every])
    item_rows, item_ids = union([t.item_ids for t in every])
    times = [t.time for t in every if t.time is not None]
    return _Pairs(
        np.concatenate([rows[t.users] for rows, t in zip(user_rows, every, strict=True)]),
        np.concatenate([rows[t.items] for rows, t in zip(item_rows, every, strict=True)]),
        np.concatenate([np.full(len(t), PARTS.index(part), np.int8) for part, t in tables.items()]),
        np.concatenate(times) if len(times) == len(every) else None,
        user_ids,
        item_ids,
    )


def _once(pairs: _Pairs) -> list[str]:
    """A warning where every user, or every item, occurs once, as in a column that numbers the rows."""
    sides = {"user": pairs.user_ids, "item": pairs.item_ids}
    once = [side for side, ids in sides.items() if len(ids) == len(pairs.users) > 1]
    return [f"every {side} occurs once: if its column is not right, name another with --{side}-column" for side in once]


def _remove_overlap(pairs: _Pairs, notes: list[str]) -> None:
    keys = pairs.users * len(pairs.item_ids) + pairs.items
    keep = np.ones(len(keys), bool)
    for part, before in ((cuts.TEST, cuts.TRAIN), (cuts.VALID, cuts.TRAIN), (cuts.VALID, cuts.TEST)):
        here = np.flatnonzero((pairs.part == part) & keep)
        twice = here[_among(keys[here], keys[(pairs.part == before) & keep])]
        if len(twice):
            keep[twice] = False
            notes.append(f"{len(twice):,} pairs of {PARTS[part]} stand in {PARTS[before]}, too, and were removed")
        if len(here) and len(twice) == len(here):
            raise UserError(f"Every pair of the {PARTS[part]} file stands in {PARTS[before]}, too; give another file.")
    if not keep.all():
        pairs.filter(keep)


def _among(keys: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which keys are among the others, bool."""
    if not len(others):
        return np.zeros(len(keys), bool)
    others = np.sort(others)
    return others[np.minimum(np.searchsorted(others, keys), len(others) - 1)] == keys


def _keep_core(pairs: _Pairs, core: int, notes: list[str]) -> pa.Table:
    """Leave the core in `pairs`; returns the pairs that were beside it, user and item as text."""
    keep, rounds = cuts.k_core(pairs.users, pairs.items, core)
    if not (keep & (pairs.part == cuts.TRAIN)).any():
        raise UserError(f"No pairs are left where every user and item has at least {core}; give a smaller core.")
    before, gone = _tally(pairs), ~keep
    beside = {
        "user": pairs.user_ids.take(pa.array(pairs.users[gone])),
        "item": pairs.item_ids.take(pa.array(pairs.items[gone])),
    }
    if not keep.all():
        pairs.filter(keep)
    fewer = [f"{b - a:,} {what}" for b, a, what in zip(before, _tally(pairs), ("pairs", "users", "items"), strict=True)]
    notes.append(f"the {core}-core leaves out {fewer[0]}, {fewer[1]} and {fewer[2]} ({rounds} rounds)")
    return pa.table(beside)


def _tally(pairs: _Pairs) -> tuple[int, int, int]:
    return len(pairs.users), int((np.bincount(pairs.users) > 0).sum()), int((np.bincount(pairs.items) > 0).sum())


def _cut_valid(pairs: _Pairs, share: float, seed: int, notes: list[str]) -> None:
    train = pairs.part == cuts.TRAIN
    draws = cuts.pair_draws(pairs.users, pairs.items, pairs.user_ids, pairs.item_ids, derive(seed, "valid part"))
    pairs.part[train] = cuts.ratio(pairs.users[train], draws[train], share, 0.0)
    notes.append(f"valid is {share:g} of each user's train pairs, at random with seed {seed}")


def _split(
    pairs: _Pairs, split: str, valid_share: float, test_share: float, seed: int, path: str, notes: list[str]
) -> None:
    if split == "none":
        notes.append("all pairs are train")
        return
    if split == "ratio":
        draws = cuts.pair_draws(pairs.users, pairs.items, pairs.user_ids, pairs.item_ids, derive(seed, "split"))
        pairs.part = cuts.ratio(pairs.users, draws, valid_share, test_share)
        notes.append(f"test is {test_share:g} and valid {valid_share:g} of each user's pairs, at random, seed {seed}")
        return
    if pairs.time is None:
        raise UserError(f"split {split} needs times, and {path} has no column of them; name it with time.")
    if split == "last":
        pairs.part = cuts.last(pairs.users, pairs.time, valid_share > 0, test_share > 0)
        cut = [part for part, share in (("test", test_share), ("valid", valid_share)) if share]
        notes.append(f"the latest pairs of each user are cut off, one for each of: {', '.join(cut) or 'nothing'}")
        return
    pairs.part = cuts.by_time(pairs.time, valid_share, test_share)
    if not (pairs.part == cuts.TRAIN).any():
        raise UserError(f"{path} cannot be split by time: too many pairs have its first times; split it by ratio.")
    notes.append(f"test is the latest {test_share:g} of all pairs, valid the {valid_share:g} before, cut by time")


def _finished(pairs: _Pairs, notes: list[str]) -> Interactions:
    users, user_ids = settle(Ids(pairs.users, pairs.user_ids), None, convert=False)
    items, item_ids = settle(Ids(pairs.items, pairs.item_ids), None, convert=False)
    keys = users * len(item_ids) + items
    parts: list[np.ndarray | None] = []
    for number in range(len(PARTS)):
        ordered = np.sort(keys[pairs.part == number])
        both = np.stack([ordered // len(item_ids), ordered % len(item_ids)], axis=1)
        parts.append(both if len(both) or not number else None)
    train, valid, test = parts
    assert train is not None
    counts = [f"{name} {len(part):,}" for name, part in zip(PARTS, parts, strict=True) if part is not None]
    notes.append(f"{len(user_ids):,} users and {len(item_ids):,} items; pairs: {', '.join(counts)}")
    cold = [int((np.bincount(train[:, k], minlength=len(n)) == 0).sum()) for k, n in enumerate((user_ids, item_ids))]
    if any(cold):
        notes.append(f"{cold[0]:,} users and {cold[1]:,} items have no train pair")
    return Interactions(user_ids, item_ids, train, valid, test, notes)


def _listed(files: dict[str, str]) -> str:
    return " and ".join(f"{part} ({file})" for part, file in files.items())
