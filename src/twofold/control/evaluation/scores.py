"""Scores of agents over tasks and seeds, summed up: episodes within a seed first, then seeds within tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from twofold.control.evaluation.bootstrap import (
    Scores,
    Statistic,
    improvement,
    improvement_interval,
    interquartile_mean,
    mean,
    median,
    optimality_gap,
    paired,
    stratified,
)
from twofold.control.evaluation.table import Played, Table, of_both, table_of

FEWEST = 3  # seeds of a task, below which there is no interval
STATISTICS: dict[str, Statistic] = {"mean": mean, "median": median, "IQM": interquartile_mean}


@dataclass(frozen=True)
class Aggregate:
    """A statistic of an agent, or of two ("a - b", "a > b").

    low, high: 95 % of the stratified bootstrap, None where a task has fewer than 3 seeds. tasks; seeds: of the task
    with the fewest; episodes: of the seed with the fewest. note: what is to be known of the number.
    """

    agent: str
    name: str
    value: float
    low: float | None
    high: float | None
    tasks: int
    seeds: int
    episodes: int
    note: str = ""

    def describe(self) -> str:
        """The number with its interval and what it is made of, in words."""
        interval = "" if self.low is None else f" [{self.low:.3g}, {self.high:.3g}]"
        shape = f"({self.tasks} tasks x {self.seeds} seeds x {self.episodes} episodes)"
        return f"{self.agent}: {self.name} {self.value:.3g}{interval} {shape}{self.note and f'; {self.note}'}"


def aggregate(
    played: Sequence[Played], *, normalised: bool = False, wanted: float | None = None, seed: int = 0
) -> list[Aggregate]:
    """Mean, median and IQM of every agent, and the optimality gap where it is known what is wanted.

    normalised: human-normalised scores, over the games whose references are known; what is wanted is then 1 where
    nothing else is given. Raises UserError where no task is left, a score is given twice, or is not finite.
    """
    found = []
    for agent in dict.fromkeys(one.agent for one in played):
        table = table_of(played, agent, normalised=normalised)
        for name, statistic in _statistics(normalised, wanted).items():
            interval = partial(stratified, table.scores, statistic, seed)
            found.append(_aggregate(agent, name, statistic(table.scores), interval, table))
    return found


def differences(
    played: Sequence[Played],
    one: str,
    other: str,
    *,
    normalised: bool = False,
    wanted: float | None = None,
    seed: int = 0,
) -> list[Aggregate]:
    """What `one` has more than `other` of each statistic, paired by seed: over the tasks and seeds that both have.

    Raises UserError where there is no such.
    """
    left, right = of_both(played, one, other, normalised=normalised)
    found = []
    for name, statistic in _statistics(normalised, wanted).items():
        value = statistic(left.scores) - statistic(right.scores)
        interval = partial(paired, left.scores, right.scores, statistic, seed)
        found.append(_aggregate(f"{one} - {other}", name, value, interval, left, right))
    return found


def improvement_of(played: Sequence[Played], one: str, other: str, seed: int = 0) -> Aggregate:
    """How likely a seed of `one` scores above one of `other` in a task that both have; 0.5 where they are alike.

    Seeds need not be the same. Raises UserError where there is no such task.
    """
    left, right = of_both(played, one, other, by_seed=False)
    value = improvement(left.scores, right.scores)
    interval = partial(improvement_interval, left.scores, right.scores, seed)
    return _aggregate(f"{one} > {other}", "probability of improvement", value, interval, left, right)


def _statistics(normalised: bool, wanted: float | None) -> dict[str, Statistic]:
    wanted = 1.0 if normalised and wanted is None else wanted
    if wanted is None:
        return STATISTICS
    return {**STATISTICS, "optimality gap": partial(optimality_gap, wanted=wanted)}


def _aggregate(
    agent: str, name: str, value: Scores, interval: Callable[[], tuple[float, float]], *tables: Table
) -> Aggregate:
    counts = [(len(seeds), task) for table in tables for task, seeds in zip(table.tasks, table.seeds, strict=True)]
    fewest, poorest = min(counts)
    few = fewest < FEWEST
    low, high = (None, None) if few else interval()
    alone = [f"no interval of fewer than {FEWEST} seeds, and {poorest} has {fewest}"] if few else []
    notes = dict.fromkeys([*alone, *(note for table in tables for note in table.notes)])
    episodes = min(table.episodes for table in tables)
    return Aggregate(agent, name, float(value), low, high, len(tables[0].tasks), fewest, episodes, "; ".join(notes))
