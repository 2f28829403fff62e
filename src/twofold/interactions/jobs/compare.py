"""`compare` on interactions: one split for all runs, each ranked as it ends, beside what needs no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from twofold.comparison.bench import Ceiling, Column, Result
from twofold.comparison.budget import limited
from twofold.comparison.compare import compare
from twofold.comparison.entries import Entry
from twofold.errors import UserError
from twofold.interactions.jobs import pretrain
from twofold.interactions.jobs.evaluate import LISTS
from twofold.interactions.jobs.parts import open_data
from twofold.interactions.jobs.samples import SAMPLES_FILE
from twofold.interactions.jobs.settle import settle
from twofold.interactions.options import Compare, Pairs, Pretrain
from twofold.interactions.reading.splits import fingerprint
from twofold.interactions.report.sections import SECTIONS
from twofold.page import Sections
from twofold.runs.results import part, read_results

MAIN = (f"recall@{LISTS}", f"ndcg@{LISTS}")
BESIDE = (f"hit@{LISTS}", f"mrr@{LISTS}")
STORED = (
    *Pairs.names(),
    "epochs",
    "steps",
    "minutes",
    "recipe",
    "recipe_of",
    "batch_size",
    "patience",
    "eval_every",
    "eval_users",
)
NOTES = (
    "Floors: how the most popular items, and a graph filter, rank; neither is trained.",
    "Recall, NDCG and the rest are of all items ranked for every user of the test part, 0 to 1.",
    "A formula ranks the same with every seed, so its interval is 0.",
)


def run(entries: list[Entry], data: str, options: Compare) -> dict[str, Any]:
    """Train and measure what is missing; see `api.compare` and `comparison.compare`."""
    return compare(entries, _bench(entries, data, options), data, options)


@dataclass
class RankingBench:
    """How the runs of a comparison on interactions are trained; a run ranks the test part itself when it ends."""

    data: str
    methods: Sequence[str]
    training: Pretrain
    settings: Mapping[str, Any]
    about: str
    batch_size: int
    steps_per_epoch: int
    notes: Sequence[str] = NOTES
    ceiling: Ceiling | None = None
    sections: Sections = SECTIONS

    def train(self, entry: Entry, seed: int, folder: Path, steps: int | None) -> None:
        """See `bench.Bench`."""
        options = replace(self.training, method_options=dict(entry.options), seed=seed, out=str(folder))
        options = limited(options, steps) if entry.composition.trained else _without_training(options)
        pretrain.run(entry.composition, self.data, options, alone=False)

    def rehearse(self, entry: Entry, folder: Path, steps: int, log_every: int) -> None:
        """See `bench.Bench`."""
        options = replace(
            self.training,
            method_options=dict(entry.options),
            out=str(folder),
            steps=steps,
            epochs=None,
            log_every=log_every,
            eval_every=steps,
        )
        pretrain.run(entry.composition, self.data, options, alone=False)

    def is_trained(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return (folder / SAMPLES_FILE).is_file()

    def is_measured(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return bool(self.results(folder))

    def measure(self, folder: Path, seed: int) -> None:
        """A run that has ended has been measured."""
        raise UserError(f"{folder} has ended without a ranking: remove it and give the same command.")

    def results(self, folder: Path) -> list[Result]:
        """See `bench.Bench`."""
        rows = [row for row in read_results(folder) if row["protocol"] == "ranking" and self._is_of_these(row)]
        return [
            Result(row["metric"], row["name"], row["value"], row["floor"])
            for row in rows
            if not (row["floor"] and row["name"].replace(" ", "-") in self.methods)
        ]

    def _is_of_these(self, row: Mapping[str, Any]) -> bool:
        """Whether a result is about the test part of this data, wherever the data lay."""
        prints = part(row, "fingerprints")
        return prints["data"] == self.settings["fingerprint"] if "data" in prints else row.get("data") == self.data

    def columns(self, keys: Sequence[str]) -> list[Column]:
        """See `bench.Bench`."""
        return [Column(key, "number", key in MAIN, digits=4) for key in (*MAIN, *BESIDE) if key in keys]


def _bench(entries: list[Entry], data: str, options: Compare) -> RankingBench:
    """Look at the data and settle what is the same for all. Raises UserError where a method cannot be trained so."""
    split_seed = options.first_seed if options.split_seed is None else options.split_seed
    options = replace(options, split_seed=split_seed)
    pairs = open_data(data, options, split_seed)
    if pairs.test is None or not len(pairs.test):
        raise UserError(f"{data} has no test part to compare on: give --test, or a --split that has one.")
    training = Pretrain(
        **Pairs.recorded(options.values()).values(),
        recipe=options.recipe,
        epochs=options.epochs,
        steps=options.steps,
        batch_size=options.batch_size,
        patience=options.patience,
        eval_every=options.eval_every,
        eval_users=options.eval_users,
        devices=1,
        report=False,
        quiet=True,
    )
    per_epoch = batch = 1
    for entry in entries:
        asked = replace(training, steps=1) if options.minutes else training
        if not entry.composition.trained:
            settle(_without_training(asked), entry.composition, pairs, data)
            continue
        complete = settle(asked, entry.composition, pairs, data)
        per_epoch = pretrain.make_plan(complete).length(len(pairs.train)).steps_per_epoch
        batch = cast(int, complete.batch_size)
    settings = {"data": data, **{name: getattr(options, name) for name in STORED}, "fingerprint": fingerprint(pairs)}
    settings |= {} if options.eval_users is None else {"eval_users": options.eval_users}
    counts = f"{len(pairs.train):,} pairs of {pairs.users:,} users and {pairs.items:,} items of {data}"
    about = f"{counts}, {len(pairs.test):,} to be found; split {options.split} by seed {split_seed}; batch {batch}"
    return RankingBench(data, [entry.name for entry in entries], training, settings, about, batch, per_epoch)


def _without_training(options: Pretrain) -> Pretrain:
    """For a formula, which knows no budget."""
    return replace(
        options, recipe="auto", epochs=None, steps=None, batch_size=None, patience=None, eval_every=None, log_every=None
    )
