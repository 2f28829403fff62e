"""Scores of agents over tasks and seeds, summed up: episodes within a seed first, then seeds within tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.control.evaluation.bootstrap import STATISTICS, stratified
from twofold.errors import UserError

FEWEST = 3  # seeds, below which there is no interval


@dataclass(frozen=True)
class Score:
    """What one episode of one agent scored."""

    agent: str
    task: str
    seed: int
    episode: int
    score: float


@dataclass(frozen=True)
class Aggregate:
    """A statistic of an agent. low, high: 95 % of the stratified bootstrap, None of fewer than 3 seeds. episodes: of
    the seed with the fewest. note: what is to be known of the number."""

    agent: str
    statistic: str
    value: float
    low: float | None
    high: float | None
    tasks: int
    seeds: int
    episodes: int
    note: str = ""


def table_of(scores: Iterable[Score], agent: str) -> tuple[NDArray[np.float64], list[str], int]:
    """(the mean of each seed's episodes (seeds, tasks), the tasks, the fewest episodes of a seed).

    Raises UserError where a task lacks seeds that another has: an agent is summed up over the same seeds in all.
    """
    by_place: dict[tuple[str, int], list[float]] = {}
    for one in scores:
        if one.agent == agent:
            by_place.setdefault((one.task, one.seed), []).append(one.score)
    if not by_place:
        raise UserError(f"There are no scores of {agent}.")
    tasks = sorted({task for task, _ in by_place})
    seeds = {task: sorted(seed for other, seed in by_place if other == task) for task in tasks}
    if len({len(found) for found in seeds.values()}) > 1:
        fewest = min(tasks, key=lambda task: len(seeds[task]))
        most = max(len(found) for found in seeds.values())
        raise UserError(f"{agent} has {len(seeds[fewest])} seeds of {fewest} and {most} of others: play the rest.")
    count = len(seeds[tasks[0]])
    means = [[float(np.mean(by_place[task, seeds[task][i]])) for task in tasks] for i in range(count)]
    return np.asarray(means), tasks, min(map(len, by_place.values()))


def aggregate(scores: Sequence[Score], seed: int = 0) -> list[Aggregate]:
    """Mean, median, IQM and optimality gap of every agent."""
    found = []
    for agent in dict.fromkeys(one.agent for one in scores):
        table, tasks, episodes = table_of(scores, agent)
        few = len(table) < FEWEST
        note = f"of {len(table)} seed{'s' if len(table) > 1 else ''} alone: no interval" if few else ""
        for name, statistic in STATISTICS.items():
            low, high = (None, None) if few else stratified(table, statistic, seed)
            value = float(statistic(table))
            found.append(Aggregate(agent, name, value, low, high, len(tasks), len(table), episodes, note))
    return found
