"""`compare` for control: agents in one environment, or encoders from one log, with the same seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from twofold.catalog.composition import Composition
from twofold.comparison.bench import Ceiling, Column, Result
from twofold.comparison.budget import limited
from twofold.comparison.compare import compare
from twofold.comparison.entries import Entry
from twofold.control.acting.episodes import read_episodes
from twofold.control.environments.factory import build as build_environment
from twofold.control.environments.specification import protocol, repeat_of
from twofold.control.evaluation.curves import area_under_curve
from twofold.control.jobs import pretrain
from twofold.control.jobs.acting import fingerprint_of, stacked
from twofold.control.jobs.logs import FEWEST, opened, world_of_log
from twofold.control.jobs.results import whole_episodes
from twofold.control.jobs.settle import (
    recipe_for,
    refuse_foreign,
    settle_agent,
    settle_logged,
    specification,
    stack_for,
)
from twofold.control.nets.saved import ENCODER_FILE
from twofold.control.options import Compare, Environment, Log, Pretrain
from twofold.control.reading.remarks import counted
from twofold.control.report.sections import SECTIONS
from twofold.control.world import World
from twofold.errors import UserError
from twofold.methods.build import build
from twofold.page import Sections
from twofold.runs.results import read_results
from twofold.seam import Situation

RETURN, AREA, NORMALISED = "return", "area under the curve", "human-normalised"
OPTIONS = (*Environment.own_names(), *Log.own_names())
ASKED = (
    "epochs",
    "steps",
    "minutes",
    "recipe",
    "recipe_of",
    "batch_size",
    "replay",
    "eval_every",
    "eval_episodes",
    "test",
)
TIMED_START = 64  # decisions before the first update of a run that is timed


def run(entries: list[Entry], data: str, options: Compare) -> dict[str, Any]:
    """Train and measure what is missing; see `api.compare` and `comparison.compare`."""
    return compare(entries, _bench(entries, data, options), data, options)


@dataclass
class ControlBench:
    """How the runs of a comparison are trained; each measures itself when it ends. acts: agents, not encoders."""

    data: str
    acts: bool
    training: Pretrain
    settings: Mapping[str, Any]
    about: str
    batch_size: int
    steps_per_epoch: int
    every: int = 1
    notes: Sequence[str] = field(default_factory=tuple)
    ceiling: Ceiling | None = None
    sections: Sections = SECTIONS

    def train(self, entry: Entry, seed: int, folder: Path, steps: int | None) -> None:
        """See `bench.Bench`."""
        options = replace(self.training, method_options=dict(entry.options), seed=seed, out=str(folder))
        decisions = None if steps is None else steps * self.every if self.acts else steps
        pretrain.run(entry.composition, self.data, limited(options, decisions), alone=False)

    def rehearse(self, entry: Entry, folder: Path, steps: int, log_every: int) -> None:
        """See `bench.Bench`."""
        options = replace(self.training, method_options=dict(entry.options), out=str(folder), log_every=log_every)
        if self.acts:
            steps = TIMED_START + steps * self.every
            options = replace(options, learn_start=TIMED_START, eval_every=steps, eval_episodes=1)
        pretrain.run(entry.composition, self.data, limited(options, steps), alone=False)

    def is_trained(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return (folder / ENCODER_FILE).is_file() and bool(read_results(folder))

    def is_measured(self, folder: Path) -> bool:
        """See `bench.Bench`."""
        return bool(self.results(folder))

    def measure(self, folder: Path, seed: int) -> None:
        """A run that has ended has been measured."""
        raise UserError(f"{folder} has ended without being measured: remove it and give the same command.")

    def results(self, folder: Path) -> list[Result]:
        """See `bench.Bench`."""
        rows = read_results(folder)
        found = [
            Result(_key(row), row["name"], row["value"], row["floor"]) for row in rows if row["metric"] != "length"
        ]
        area = _area(folder) if self.acts else None
        own = next((row["name"] for row in rows if not row["floor"]), "")
        return found if area is None else [*found, Result(AREA, own, area, False)]

    def columns(self, keys: Sequence[str]) -> list[Column]:
        """See `bench.Bench`."""
        order = [key for key in (RETURN, AREA, NORMALISED, "linear R2", "knn R2") if key in keys]
        return [Column(key, "number", key != NORMALISED, digits=3, floored=key != AREA) for key in order]


def _key(row: Mapping[str, Any]) -> str:
    return row["metric"] if row["protocol"] == "returns" else f"{row['protocol']} {row['metric']}"


def _area(folder: Path) -> float | None:
    """The mean of the curve of evaluations over decisions; None where there are fewer than two."""
    by_decision = dict[int, list[float]]()
    for row in read_episodes(folder):
        by_decision.setdefault(row.decisions, []).append(row.score)
    if len(by_decision) < 2:
        return None
    means = [sum(scores) / len(scores) for scores in by_decision.values()]
    return area_under_curve(list(by_decision), means)


def _bench(entries: list[Entry], data: str, options: Compare) -> ControlBench:
    """Look at the data and settle what is the same for all. Raises UserError where a method cannot be trained so,
    before any of them is."""
    acts = {pretrain.acting(entry.composition, data) for entry in entries}.pop()
    refuse_foreign(options, data, acts=acts)
    training = Pretrain(
        **{name: getattr(options, name) for name in OPTIONS},
        recipe=options.recipe,
        epochs=options.epochs,
        steps=options.steps,
        batch_size=options.batch_size,
        replay=options.replay,
        eval_every=options.eval_every,
        eval_episodes=options.eval_episodes,
        test=options.test,
        report=False,
        quiet=True,
    )
    settings = {"data": data, **{name: getattr(options, name) for name in (*ASKED, *OPTIONS)}}
    compositions = [entry.composition for entry in entries]
    make = _of_agents if acts else _of_logs
    bench, worlds = make(compositions, data, training, settings)
    for entry, world in zip(entries, worlds, strict=True):
        name = recipe_for(entry.composition, training.recipe, world)
        build(entry.composition, world, Situation(1, 2), entry.composition.recipe(name), entry.options)
    return bench


def _of_agents(
    compositions: Sequence[Composition], data: str, training: Pretrain, settings: Mapping[str, Any]
) -> tuple[ControlBench, list[World]]:
    spec = specification(data, training, training)
    env = build_environment(spec, 0)
    try:
        worlds = [stacked(env, composition, training) for composition in compositions]
        repeat = repeat_of(spec)
        complete = [settle_agent(training, *one, data, repeat) for one in zip(compositions, worlds, strict=True)]
    finally:
        env.close()
    first = complete[0]
    about = f"{protocol(spec)}; {first.steps:,} decisions by the recipe {first.recipe}, batch {first.batch_size}"
    notes = [
        f"Return: mean over {whole_episodes(training.eval_episodes)} at the end of the run, greedily played; the agent "
        "of the end counts, not the best.",
        "Area under the curve: the mean of the evaluations over the decisions of the run.",
        "Floor: random actions.",
    ]
    every = int(first.train_every or 1)
    batch, per_epoch = int(first.batch_size or 2), max(int(first.eval_every or 1) // every, 1)
    identity = {"fingerprint": fingerprint_of(protocol(spec), worlds[0])}
    bench = ControlBench(data, True, training, {**settings, **identity}, about, batch, per_epoch, every, notes)
    return bench, worlds


def _of_logs(
    compositions: Sequence[Composition], data: str, training: Pretrain, settings: Mapping[str, Any]
) -> tuple[ControlBench, list[World]]:
    log = opened(data, training)
    if not training.test and len(log.episodes) < FEWEST:
        raise UserError(
            f"{data} holds {counted(len(log.episodes))}, of which none can be set aside to be asked about: give at "
            f"least {FEWEST}, or others by --test."
        )
    count = sum(len(episode) for episode in log.episodes)
    first = compositions[0]
    recipe = first.recipe(next(iter(first.recipes)) if training.recipe == "auto" else training.recipe)
    world = world_of_log(log.episodes, stack_for(training, recipe, log.episodes[0].observations.ndim == 4))
    complete = [settle_logged(training, c, world, data, count) for c in compositions]
    batch = cast(int, complete[0].batch_size)
    about = f"{len(log.episodes):,} episodes, {count:,} steps of {data}; batch {batch}"
    notes = [
        "R2: the share of the returns' variance that is foretold on episodes nothing was learned from.",
        "Floors: the same network with random weights, and pixels.",
    ]
    identity = {"fingerprint": log.fingerprint}
    bench = ControlBench(
        data, False, training, {**settings, **identity}, about, batch, max(count // batch, 1), notes=notes
    )
    return bench, [world] * len(compositions)
