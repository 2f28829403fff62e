"""`evaluate` on interactions: every item ranked for every user of a test part, beside the floors, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.files import write_json
from twofold.interactions.evaluation.groups import group_contributions, item_groups
from twofold.interactions.evaluation.noise import add_noise
from twofold.interactions.evaluation.ranking import Ranking, rank_all
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.samples import SAMPLES_FILE, write_samples
from twofold.interactions.jobs.store import read_model, rows_of
from twofold.interactions.methods.floors import GraphFilter, Popularity
from twofold.interactions.options import Evaluate, Pairs
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import Interactions, open_interactions
from twofold.interactions.reading.table import read_table
from twofold.interactions.reading.titles import read_titles
from twofold.runs.config import CONFIG_FILE, expect, read_config
from twofold.runs.results import add_results
from twofold.runs.screen import progress_bar

AT = (5, 10, 20, 50)
LISTS, GROUPS = 20, 10  # of the long tail
Score = Callable[[Tensor], Tensor]


def run(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    """Measure a finished run on the test part of its data, or on other pairs; see `api.evaluate`."""
    folder, config = Path(model), read_config(model)
    expect(config, folder, data=str, seed=int)
    if Path(data).resolve() == Path(config["data"]).resolve():
        pairs = open_data(config["data"], _recorded(config, folder), config["seed"])
    else:
        pairs = _other_pairs(folder, data, options.quiet)
    at = _lengths(options.at) if options.at else AT
    rows = measure(folder, pairs, at=at, floors=options.floors, quiet=options.quiet)
    for row in rows:
        row["data"], row["seed"] = data, config["seed"]
    print(table(rows))
    add_results(folder, rows)
    if not (folder / SAMPLES_FILE).exists():
        titles = config.get("titles") if isinstance(config.get("titles"), str) else None
        write_samples(folder, config["seed"], read_titles(titles) if titles and Path(titles).is_file() else None)
    if options.out:
        write_json(Path(options.out), rows)
    return rows


def _recorded(config: Mapping[str, Any], folder: Path) -> Pairs:
    try:
        return Pairs.recorded(config)
    except UserError as error:
        raise UserError(
            f"{folder / CONFIG_FILE} is damaged ({clause(error)}): restore it, or evaluate on a file of other pairs."
        ) from error


def open_data(path: str, options: Pairs, seed: int) -> Interactions:
    """The parts of the data that a command names, with random training pairs where it asks for noise.

    seed: of the run, which serves where the split has none of its own.
    """
    seed = seed if options.split_seed is None else options.split_seed
    data = open_interactions(
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
    if not options.noise:
        return data
    others = [part for part in (data.valid, data.test) if part is not None]
    forbidden = np.concatenate(others) if others else None
    noisy = add_noise(data.train, options.noise, data.users, data.items, forbidden, seed)
    note = f"{len(noisy) - len(data.train):,} random pairs were added to the {len(data.train):,} to learn from."
    return replace(data, train=noisy, notes=[*data.notes, note])


def _lengths(listed: str) -> tuple[int, ...]:
    """Lengths of lists as text, commas between, rising; that of the long tail is added."""
    for part in listed.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise UserError(f'--at takes lengths of lists, 1 or more, commas between, not "{part.strip()}".')
    return tuple(sorted({LISTS, *map(int, listed.split(","))}))


def _other_pairs(folder: Path, path: str, quiet: bool) -> Interactions:
    """Pairs of a file as the test part of a run; users and items that it does not know are left out and counted."""
    model, table = read_model(folder), read_table(path)
    users, items = (
        rows_of(ids, own) for ids, own in ((table.user_ids, model.user_ids), (table.item_ids, model.item_ids))
    )
    pairs = np.stack([users[table.users], items[table.items]], axis=1)
    known = (pairs >= 0).all(1)
    seen = np.isin(pairs @ [len(model.item_ids), 1], model.pairs @ [len(model.item_ids), 1])
    if not quiet:
        print(
            f"{len(pairs):,} pairs of {path}: {(~known).sum():,} of unknown users or items, {seen.sum():,} learned from"
        )
    if not (known & ~seen).any():
        raise UserError(f"{path} holds no pair that the run knows and has not learned from.")
    return Interactions(model.user_ids, model.item_ids, model.pairs, None, pairs[known & ~seen], [])


def measure(
    folder: Path, data: Interactions, *, at: tuple[int, ...] = AT, floors: bool = True, quiet: bool = False
) -> list[dict[str, Any]]:
    """Metrics of a finished run on the test part, the floors' beside them, as evaluation.json keeps them.

    at: rising, 20 among them. Training and validation pairs are not ranked. The floors see what the model saw: the
    training pairs.
    """
    if data.test is None or not len(data.test):
        raise UserError("There is no test part to rank for: give --test, or a split that has one.")
    model = read_model(folder)
    seen_parts = [data.train, *([data.valid] if data.valid is not None else [])]
    seen, relevant = Ragged.of(np.concatenate(seen_parts), data.users), Ragged.of(data.test, data.users)
    name = folder.resolve().name
    sides: dict[str, Score] = {name: model.ranker.scores}
    if floors:
        learned = Bipartite(torch.from_numpy(data.train), data.users, data.items)
        beside: dict[str, type[Popularity | GraphFilter]] = {"popularity": Popularity, "graph filter": GraphFilter}
        sides |= {kind: make(learned).scores for kind, make in beside.items() if model.method != kind.replace(" ", "-")}
    groups = item_groups(data.train, data.items, GROUPS)
    untrained = Ragged.of(data.train, data.users).count() == 0
    rows: list[dict[str, Any]] = []
    for side, score in sides.items():
        with progress_bar(f"ranking by {side}", quiet) as on_progress:
            ranking = rank_all(score, relevant, seen, at, on_progress=on_progress)
        rows += _rows(side, ranking, relevant, groups, untrained[ranking.users], floor=side != name)
    return rows


def below_floors(rows: list[dict[str, Any]], metric: str = "recall@20") -> str:
    """A warning where a floor ranks better than what was trained, or ''."""
    asked = [row for row in rows if (row["protocol"], row["metric"]) == ("ranking", metric)]
    values = {row["name"]: (row["value"], row["floor"]) for row in asked}
    own = max((value for value, floor in values.values() if not floor), default=0.0)
    better = [name for name, (value, floor) in values.items() if floor and value > own]
    if not better:
        return ""
    return (
        f"Below {' and '.join(better)} by {metric}, which take no training: train longer (a larger --patience) or try "
        f"another --lr."
    )


def _rows(
    name: str, ranking: Ranking, relevant: Ragged, groups: Tensor, untrained: Tensor, *, floor: bool
) -> list[dict[str, Any]]:
    entry = {"name": name, "floor": floor, "settings": "all items ranked"}
    means = ranking.mean().items()
    rows = [{"protocol": "ranking", "metric": metric, "value": value, **entry} for metric, value in means]
    if bool(untrained.any()):
        kept = f"{int(untrained.sum())} users without training pairs"
        rows += [
            {"protocol": kept, "metric": metric, "value": value, **entry}
            for metric, value in ranking.mean(untrained).items()
            if metric in ("recall@20", "ndcg@20")
        ]
    shares = group_contributions(ranking.top[:, :LISTS], relevant, ranking.users, groups, GROUPS)
    return rows + [
        {"protocol": "long tail", "metric": f"group {g + 1}", "value": float(value), **entry}
        for g, value in enumerate(shares)
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Metrics as text: a line a metric, a column a ranker."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    lines = [["", *names]]
    for protocol, metric in dict.fromkeys((row["protocol"], row["metric"]) for row in rows):
        values = {r["name"]: r["value"] for r in rows if (r["protocol"], r["metric"]) == (protocol, metric)}
        if protocol == "ranking":
            lines.append([metric, *(f"{values[n]:.4f}" if n in values else "-" for n in names)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(names) + 1)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)
