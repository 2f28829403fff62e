"""What a comparison has to do, in which order, and the doing of what is not done yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.images.jobs.comparison.attempt import attempt, indented
from twofold.images.jobs.comparison.budget import steps_within
from twofold.images.jobs.comparison.entries import Entry
from twofold.images.jobs.comparison.folder import ComparisonFolder
from twofold.images.jobs.comparison.runs import is_trained, measure_missing, missing, train
from twofold.images.jobs.comparison.shared import Shared
from twofold.images.jobs.comparison.summary import SUPERVISED
from twofold.images.jobs.comparison.supervised import result_file, train_supervised
from twofold.runs.screen import duration


@dataclass(frozen=True)
class Work:
    """One thing to be done: the training and measuring of one method, or the ceiling, for one seed."""

    name: str
    seed: int
    done: Callable[[], bool]
    do: Callable[[], None]


@dataclass
class Comparison:
    """What a command compares, and what has failed of it, by (method, seed)."""

    entries: list[Entry]
    seeds: list[int]
    protocols: list[str]
    shared: Shared
    folder: ComparisonFolder
    measuring: dict[str, Any]
    ceiling: bool
    failures: dict[tuple[str, int], str] = field(default_factory=dict)


def do_all(comparison: Comparison, minutes: float | None, say: Callable[[str], None]) -> None:
    """Time the steps where the budget is in minutes, then do whatever is not done; a failure ends its own run alone."""
    if minutes is not None:
        _time_steps(comparison, minutes, say)
    works = _works(comparison)
    waiting = [work for work in works if not work.done()]
    if len(waiting) < len(works):
        say(f"{len(works) - len(waiting)} of {len(works)} runs were finished before.")
    began = time.monotonic()
    for number, work in enumerate(waiting):
        place = f"run {len(works) - len(waiting) + number + 1} of {len(works)}"
        say(f"{place}: {work.name}, seed {work.seed}")
        started = time.monotonic()
        with indented(say):
            reason = attempt(work.do, comparison.folder.path)
        now = time.monotonic()
        if reason:
            comparison.failures[work.name, work.seed] = reason
        left = (now - began) / (number + 1) * (len(waiting) - number - 1)
        ended = f"{place} {'failed: ' + reason if reason else 'done in ' + duration(now - started)}"
        say(ended + (f"; about {duration(left)} left" if left else ""))


def _works(comparison: Comparison) -> list[Work]:
    """Seed by seed, so that what there is at any time is of all methods."""
    shared, out = comparison.shared, comparison.folder.path
    works = []
    for seed in comparison.seeds:
        measuring = {**comparison.measuring, "seed": seed}
        for entry in comparison.entries:
            if (entry.name, seed) not in comparison.failures:
                works.append(_run_work(entry, seed, comparison, measuring))
        if comparison.ceiling:
            file, epochs = result_file(out, seed), _epochs(comparison)

            def ceiling(file: Path = file, epochs: int = epochs, measuring: dict[str, Any] = measuring) -> None:
                train_supervised(file, shared.training, shared.statistics, epochs, measuring)

            works.append(Work(SUPERVISED, seed, file.exists, ceiling))
    return works


def _run_work(entry: Entry, seed: int, comparison: Comparison, measuring: dict[str, Any]) -> Work:
    folder, protocols = comparison.folder.path / entry.folder(seed), comparison.protocols
    steps = comparison.folder.steps.get(entry.name)
    training = comparison.shared.training | ({"steps": steps} if steps else {})

    def do() -> None:
        if not is_trained(folder):
            train(entry, seed, training, folder)
        measure_missing(folder, protocols, measuring)

    return Work(entry.name, seed, lambda: is_trained(folder) and not missing(folder, protocols), do)


def _time_steps(comparison: Comparison, minutes: float, say: Callable[[str], None]) -> None:
    folder, shared = comparison.folder, comparison.shared
    for entry in comparison.entries:
        if entry.name in folder.steps:
            continue
        found: list[tuple[int, float]] = []

        def measure(entry: Entry = entry, found: list[tuple[int, float]] = found) -> None:
            found.append(steps_within(minutes, entry, shared.training, folder.path))

        with indented(lambda text: None):
            reason = attempt(measure, folder.path)
        if reason:
            comparison.failures |= {(entry.name, seed): reason for seed in comparison.seeds}
            say(f"{entry.name} failed: {reason}")
            continue
        (steps, seconds) = found[0]
        folder.steps[entry.name] = steps
        folder.keep()
        say(f"{entry.name}: {1000 * seconds:.3g} ms a step, so {minutes:g} minutes are {steps:,} steps.")


def _epochs(comparison: Comparison) -> int:
    """Of the supervised network: those of the runs; with a budget in minutes, of the method that was timed first."""
    training, shared = comparison.shared.training, comparison.shared
    if training["epochs"]:
        return int(training["epochs"])
    steps = training["steps"] or next(iter(comparison.folder.steps.values()), shared.steps_per_epoch)
    return max(1, round(steps / shared.steps_per_epoch))
