"""Which pairs a finished run is measured on: the parts of its own data, or those of another file, read alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twofold.errors import UserError, clause
from twofold.interactions.evaluation.noise import add_noise
from twofold.interactions.jobs.store import Recommender, read_model, rows_of
from twofold.interactions.options import Pairs
from twofold.interactions.reading.columns import role_of
from twofold.interactions.reading.raw import Named
from twofold.interactions.reading.splits import Interactions, open_interactions
from twofold.interactions.reading.table import Table, column_names, read_table
from twofold.printable import say
from twofold.runs.config import CONFIG_FILE
from twofold.runs.folder import ENVIRONMENT_FILE
from twofold.runs.schema import read_json

ROLES = ("user", "item", "weight", "time")


def open_data(
    path: str, options: Pairs, seed: int, change: Callable[[Interactions], Interactions] = lambda data: data
) -> Interactions:
    """The parts of the data that a command names, with random training pairs where it asks for noise.

    seed: of the run, which serves where the split has none of its own. change: what to do before noise is added.
    """
    seed = seed if options.split_seed is None else options.split_seed
    data = change(
        open_interactions(
            path,
            val=options.val,
            test=options.test,
            split=options.split,
            # What the test part selects needs no validation pairs; papers train on them.
            valid_share=0.0 if options.select_on == "test" else 0.1,
            seed=seed,
            user=options.user_column,
            item=options.item_column,
            weight=options.weight_column,
            time=options.time_column,
            min_weight=options.min_weight,
            core=options.core,
        )
    )
    if not options.noise:
        return data
    others = [part for part in (data.valid, data.test) if part is not None]
    forbidden = np.concatenate(others) if others else None
    noisy = add_noise(data.train, options.noise, data.users, data.items, forbidden, seed)
    note = f"{len(noisy) - len(data.train):,} random pairs were added to the {len(data.train):,} to learn from."
    return replace(data, train=noisy, notes=[*data.notes, note])


def place(folder: Path, path: str) -> str:
    """Where a path lies that was given to a run: from the directory in which the run was started, where it says so."""
    file = folder / ENVIRONMENT_FILE
    try:
        started = read_json(file).get("directory", "")
    except (UserError, AttributeError):
        started = ""
    return str(Path(str(started or "")) / Path(path).expanduser())


def own_parts(folder: Path, config: Mapping[str, Any], data: str) -> Interactions | None:
    """The parts of a run's own data, with the run's rows; None where `data` is something else.

    The data are the run's where the pairs are, wherever they lie and in whatever order. UserError where it is the file
    or folder that the run learned from, and has other pairs now.
    """
    recorded = place(folder, config["data"])
    own = _one_place(data, recorded) or (data == config["data"] and not os.path.exists(recorded))
    expected = own or os.path.isdir(os.path.expanduser(data))
    model = read_model(folder)
    try:
        options = _recorded(folder, config)
        given: dict[str, Any] = {
            part: place(folder, getattr(options, part)) for part in ("val", "test") if getattr(options, part)
        }
        found = open_data(data, replace(options, **given), config["seed"], lambda parts: _aligned(parts, model))
    except _Changed:
        found = None
    except UserError:
        if expected:
            raise
        return None
    if found is not None and _same(found, model):
        return found
    if expected:
        raise UserError(
            f"{data} does not hold the pairs, or not in the parts, that {folder} learned from: to measure on new pairs "
            "give a file of them alone; otherwise train again."
        )
    return None


def _recorded(folder: Path, config: Mapping[str, Any]) -> Pairs:
    try:
        return Pairs.recorded(config)
    except UserError as error:
        raise UserError(
            f"{folder / CONFIG_FILE} is damaged ({clause(error)}): restore it, or evaluate on a file of other pairs."
        ) from error


class _Changed(Exception):
    """The ids are not those of the run."""


def _one_place(one: str, other: str) -> bool:
    return Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def _aligned(data: Interactions, model: Recommender) -> Interactions:
    """The same pairs with the rows of the run. Raises _Changed where users or items are others."""
    rows = []
    for ids, own in ((data.user_ids, model.user_ids), (data.item_ids, model.item_ids)):
        rows.append(rows_of(ids, own))
        if len(ids) != len(own) or (rows[-1] < 0).any():
            raise _Changed

    def moved(pairs: np.ndarray | None) -> np.ndarray | None:
        return None if pairs is None else _ordered(np.stack([rows[k][pairs[:, k]] for k in (0, 1)], 1))

    train = moved(data.train)
    assert train is not None
    ids = {"user_ids": model.user_ids, "item_ids": model.item_ids}
    return replace(data, **ids, train=train, valid=moved(data.valid), test=moved(data.test))


def _ordered(pairs: np.ndarray) -> np.ndarray:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _same(data: Interactions, model: Recommender) -> bool:
    """Whether the run learned from, and held out, what the data hold."""
    others = [part for part in (data.valid, data.test) if part is not None]
    held_out = np.concatenate([np.empty((0, 2), np.int64), *others])
    both = ((data.train, model.pairs), (held_out, model.held_out))
    return all(np.array_equal(_ordered(one), _ordered(other)) for one, other in both)


def other_pairs(folder: Path, config: Mapping[str, Any], path: str, quiet: bool) -> Interactions:
    """Pairs of a file as the test part of a run; users and items that it does not know are left out and counted.

    All else that the users have in the run's data is not ranked, as it is not recommended.
    """
    model, (table, notes) = read_model(folder), read_as_run(path, config)
    users, items = (
        rows_of(ids, own) for ids, own in ((table.user_ids, model.user_ids), (table.item_ids, model.item_ids))
    )
    pairs = np.stack([users[table.users], items[table.items]], axis=1)
    known = (pairs >= 0).all(1)
    width = [len(model.item_ids), 1]
    learned = np.isin(pairs @ width, model.pairs @ width) & known
    strange = f"{(~known).sum():,} of unknown users or items"
    counted = f"{len(pairs):,} pairs of {path}: {strange}, {learned.sum():,} learned from"
    if not quiet:
        say("\n".join([*notes, counted]))
    elif learned.any():
        say(f"{counted}; neither are asked about.")
    asked = pairs[known & ~learned]
    if not len(asked):
        raise UserError(f"{path} holds no pair that the run knows and has not learned from.")
    everywhere = np.stack([np.repeat(np.arange(len(model.seen)), model.seen.count()), model.seen.items.numpy()], 1)
    away = everywhere[~np.isin(everywhere @ width, asked @ width)]
    return Interactions(model.user_ids, model.item_ids, model.pairs, away, _ordered(asked), [])


def read_as_run(path: str, config: Mapping[str, Any]) -> tuple[Table, list[str]]:
    """A file of pairs by the columns and the least weight of a run, and what to say where it has no such columns.

    UserError where it has a header without the run's column of users or items, or one of a usual name.
    """
    wanted = {role: str(column) for role in ROLES if (column := config.get(f"{role}_column")) not in (None, "")}
    least = config.get("min_weight")
    names = column_names(path, Named(wanted.get("user"), wanted.get("item"), wanted.get("weight"), wanted.get("time")))
    given = {role: column for role, column in wanted.items() if names is not None and _has(names, column)}
    lacking = {role: column for role, column in wanted.items() if role in ("user", "item") and role not in given}
    usual = {role_of(name) for name in names or []}
    for role, column in lacking.items():
        if names and role not in usual:
            listed = ", ".join(names)
            raise UserError(f"{path} has no column {column}, which holds the {role}s of the run (it has {listed}).")
    weighed = "weight" in given or "weight" in usual or (names is None and path.lower().endswith(".npz"))
    needs = ["weight"] if least is not None and weighed else []
    columns: dict[str, Any] = {**given, "min_weight": least if needs else None, "needs": needs}
    table = read_table(path, **columns)
    notes = [f"{path}: {note}" for note in table.notes]
    if lacking:
        notes.append(f"{path} has no column {' or '.join(lacking.values())}, as the run's data had: {table.taken}.")
    if least is not None and not weighed:
        notes.append(f"{path} has no weights, so all its pairs count (the run's --min-weight was {least:g}).")
    return table, notes


def _has(names: list[str], column: str) -> bool:
    """Whether a file with such names, none without a header, has a column of this name, or number."""
    return column in names or column in [name.split(":")[0].strip() for name in names] if names else column.isdigit()
