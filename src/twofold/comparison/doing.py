"""What a comparison has to do, in which order, and the doing of what is not done yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from twofold.comparison.attempt import attempt, indented
from twofold.comparison.bench import Bench
from twofold.comparison.budget import steps_within
from twofold.comparison.entries import Entry
from twofold.comparison.folder import ComparisonFolder
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
    bench: Bench
    folder: ComparisonFolder
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
    works = []
    for seed in comparison.seeds:
        for entry in comparison.entries:
            if (entry.name, seed) not in comparison.failures:
                works.append(_run_work(entry, seed, comparison))
        if comparison.bench.ceiling is not None:
            works.append(_ceiling_work(seed, comparison))
    return works


def _run_work(entry: Entry, seed: int, comparison: Comparison) -> Work:
    folder, bench = comparison.folder.path / entry.folder(seed), comparison.bench
    steps = comparison.folder.steps.get(entry.name)

    def do() -> None:
        if not bench.is_trained(folder):
            bench.train(entry, seed, folder, steps)
        if not bench.is_measured(folder):
            bench.measure(folder, seed)

    return Work(entry.name, seed, lambda: bench.is_trained(folder) and bench.is_measured(folder), do)


def _ceiling_work(seed: int, comparison: Comparison) -> Work:
    ceiling, epochs = comparison.bench.ceiling, _epochs(comparison)
    assert ceiling is not None
    return Work(ceiling.name, seed, lambda: ceiling.done(seed), lambda: ceiling.do(seed, epochs))


def _time_steps(comparison: Comparison, minutes: float, say: Callable[[str], None]) -> None:
    folder = comparison.folder
    for entry in comparison.entries:
        if entry.name in folder.steps or not entry.composition.trained:
            continue
        found: list[tuple[int, float]] = []

        def measure(entry: Entry = entry, found: list[tuple[int, float]] = found) -> None:
            found.append(steps_within(minutes, entry, comparison.bench, folder.path))

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
    """Of the ceiling: those of the runs; with a budget in minutes, of the method that was timed first."""
    settings, per_epoch = comparison.bench.settings, comparison.bench.steps_per_epoch
    if settings["epochs"]:
        return int(settings["epochs"])
    steps = settings["steps"] or next(iter(comparison.folder.steps.values()), per_epoch)
    return max(1, round(steps / per_epoch))
