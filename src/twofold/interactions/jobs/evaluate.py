"""`evaluate` on interactions: every item ranked for every user of a test part, beside the floors, in one table."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.files import write_json
from twofold.interactions.evaluation.groups import group_contributions, item_groups
from twofold.interactions.evaluation.ranking import Ranking, rank_all, some_users
from twofold.interactions.graph import Bipartite
from twofold.interactions.jobs.parts import other_pairs, own_parts, place
from twofold.interactions.jobs.samples import SAMPLES_FILE, write_samples
from twofold.interactions.jobs.store import Recommender, read_model
from twofold.interactions.methods.floors import GraphFilter, Popularity
from twofold.interactions.options import Evaluate
from twofold.interactions.ragged import Ragged
from twofold.interactions.reading.splits import Interactions, fingerprint
from twofold.interactions.reading.titles import read_titles
from twofold.interactions.report.sections import SECTIONS
from twofold.page import keep_results
from twofold.printable import say
from twofold.runs.config import expect, read_config
from twofold.runs.outcome import trained_epochs
from twofold.runs.screen import progress_bar

AT = (5, 10, 20, 50)
LISTS, GROUPS = 20, 10  # of the long tail
Score = Callable[[Tensor], Tensor]


def run(model: str, data: str, options: Evaluate) -> list[dict[str, Any]]:
    """Measure a finished run on the test part of its data, or on other pairs; see `api.evaluate`."""
    folder, config = Path(model), read_config(model)
    expect(config, folder, data=str, seed=int, min_weight=float | None)
    at = _lengths(options.at) if options.at is not None else AT
    own = own_parts(folder, config, data)
    pairs = own or other_pairs(folder, config, data, options.quiet)
    asked = Asked(options.eval_users, config["seed"])
    rows = measure(folder, pairs, asked, at=at, floors=options.floors, quiet=options.quiet, delivered=own is None)
    rows = circumstances(rows, folder, pairs, config["data"] if own else data, config["seed"])
    say(table(rows))
    if options.out:
        write_json(Path(options.out), rows)
    if not (folder / SAMPLES_FILE).exists():
        _samples(folder, config)
    keep_results(folder, rows, SECTIONS)
    return rows


def circumstances(
    rows: list[dict[str, Any]], folder: Path, pairs: Interactions, data: str, seed: int
) -> list[dict[str, Any]]:
    """The rows with what makes a number another one; see `runs.results.Entry`."""
    epochs = trained_epochs(folder)
    conditions = {} if not epochs else {"epochs trained": epochs}
    about = {"data": data, "seed": seed, "conditions": conditions, "fingerprints": {"data": fingerprint(pairs)}}
    return [{**row, **about} for row in rows]


def _samples(folder: Path, config: Mapping[str, Any]) -> None:
    """Samples for the page of an older run; a folder that cannot be written to goes without."""
    given = config.get("titles")
    titles = place(folder, given) if isinstance(given, str) else None
    with contextlib.suppress(UserError):
        write_samples(folder, config["seed"], read_titles(titles) if titles and Path(titles).is_file() else None)


def _lengths(listed: str) -> tuple[int, ...]:
    """Lengths of lists as text, commas between, rising; that of the long tail is added."""
    for part in listed.split(","):
        if not re.fullmatch(r"[0-9]{1,6}", part.strip()) or int(part) < 1:
            raise UserError(f'--at takes lengths of lists, 1 or more, commas between, not "{part.strip()}".')
    return tuple(sorted({LISTS, *map(int, listed.split(","))}))


@dataclass(frozen=True)
class Asked:
    """For how many users, None for all, drawn by which seed."""

    most: int | None = None
    seed: int = 0

    def settings(self, users: Tensor | None, of: int) -> str:
        """How results name what was ranked: for all users with something to be found, or for `users` of `of`."""
        all_items = "all items ranked"
        return all_items if users is None else f"{all_items}, {len(users):,} of {of:,} users (seed {self.seed})"


def measure(
    folder: Path,
    data: Interactions,
    asked: Asked = Asked(),
    *,
    at: tuple[int, ...] = AT,
    floors: bool = True,
    quiet: bool = False,
    delivered: bool = False,
) -> list[dict[str, Any]]:
    """Metrics of a finished run on the test part, the floors' beside them, as evaluation.json keeps them.

    asked: for whom is ranked. at: rising, 20 among them. Training and validation pairs are not ranked. The floors see
    what the model saw: the training pairs. delivered: rank as `recommend` does, the most popular items for users
    without a training pair.
    """
    if data.test is None or not len(data.test):
        raise UserError("There is no test part to rank for: give --test, or a split that has one.")
    model = read_model(folder)
    seen_parts = [data.train, *([data.valid] if data.valid is not None else [])]
    seen, relevant = Ragged.of(np.concatenate(seen_parts), data.users), Ragged.of(data.test, data.users)
    name = folder.resolve().name
    untrained = Ragged.of(data.train, data.users).count() == 0
    own = _delivered(model, untrained) if delivered else model.ranker.scores
    sides: dict[str, Score] = {name: own}
    if floors:
        learned = Bipartite(torch.from_numpy(data.train), data.users, data.items)
        beside: dict[str, type[Popularity | GraphFilter]] = {"popularity": Popularity, "graph filter": GraphFilter}
        sides |= {kind: make(learned).scores for kind, make in beside.items() if model.method != kind.replace(" ", "-")}
    users = some_users(relevant, asked.most, asked.seed)
    how = asked.settings(users, int((relevant.count() > 0).sum()))
    groups = item_groups(data.train, data.items, GROUPS)
    rows: list[dict[str, Any]] = []
    for side, score in sides.items():
        with progress_bar(f"ranking by {side}", quiet) as on_progress:
            ranking = rank_all(score, relevant, seen, at, users=users, on_progress=on_progress)
        rows += _rows(side, ranking, relevant, groups, untrained[ranking.users], floor=side != name)
    if delivered and bool(untrained.any()):
        how = f"{how}, the most popular for users of whom nothing is known"
    return [{**row, "settings": how} for row in rows]


def _delivered(model: Recommender, untrained: Tensor) -> Score:
    degree = model.popularity

    def scores(users: Tensor) -> Tensor:
        return torch.where(untrained[users][:, None], degree, model.ranker.scores(users))

    return scores


def below_floors(rows: list[dict[str, Any]], limit: str = "--epochs", metric: str = "recall@20") -> str:
    """A warning where a floor ranks better than what was trained, or ''. limit: the option that ended the run."""
    asked = [row for row in rows if (row["protocol"], row["metric"]) == ("ranking", metric)]
    values = {row["name"]: (row["value"], row["floor"]) for row in asked}
    own = max((value for value, floor in values.values() if not floor), default=0.0)
    better = [name for name, (value, floor) in values.items() if floor and value > own]
    if not better:
        return ""
    return (
        f"Below {' and '.join(better)} by {metric} (a floor needs no training): train longer (a larger {limit}) or try "
        f"another --lr."
    )


def _rows(
    name: str, ranking: Ranking, relevant: Ragged, groups: Tensor, untrained: Tensor, *, floor: bool
) -> list[dict[str, Any]]:
    entry = {"name": name, "floor": floor}
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
    """Metrics as text: a line a metric, a column a ranker; under it for how many users, where not for all."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    lines = [["", *names]]
    for protocol, metric in dict.fromkeys((row["protocol"], row["metric"]) for row in rows):
        values = {r["name"]: r["value"] for r in rows if (r["protocol"], r["metric"]) == (protocol, metric)}
        if protocol == "ranking":
            lines.append([metric, *(f"{values[n]:.4f}" if n in values else "-" for n in names)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(names) + 1)]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, *dict.fromkeys(row["settings"] for row in rows if "users" in row["settings"])])
