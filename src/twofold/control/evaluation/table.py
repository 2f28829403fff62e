"""What agents scored, episode by episode, and the mean of each seed: the numbers that statistics are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.control.evaluation.atari_scores import human_normalised
from twofold.errors import UserError, nearest

Means = Mapping[str, Mapping[int, float]]  # task -> seed -> the mean of its episodes


@dataclass(frozen=True)
class Played:
    """What one episode of one agent scored. seed: of the training; all its episodes are one number in the end."""

    agent: str
    task: str
    seed: int
    episode: int
    score: float


@dataclass(frozen=True)
class Table:
    """An agent's mean scores. episodes: of the seed with the fewest. notes: what is missing or left out, in words."""

    means: Means
    episodes: int
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """The tasks, in order."""
        return list(self.means)

    @property
    def seeds(self) -> list[list[int]]:
        """The seeds of each task, in order."""
        return [list(by_seed) for by_seed in self.means.values()]

    @property
    def scores(self) -> list[NDArray[np.float64]]:
        """The seeds' scores of each task, (seeds,)."""
        return [np.asarray(list(by_seed.values()), np.float64) for by_seed in self.means.values()]


def table_of(played: Sequence[Played], agent: str, *, normalised: bool = False) -> Table:
    """The mean of each seed's episodes, of one agent. normalised: human-normalised, of the games with a reference.

    Missing are the tasks that any agent has, of each of this one's seeds. Raises UserError where there is nothing, or
    an episode is there twice or has no finite score.
    """
    episodes = _episodes(played, agent)
    tasks, seeds = sorted({task for task, _ in episodes}), sorted({seed for _, seed in episodes})
    means: Means = {
        task: {seed: _mean(episodes[task, seed]) for seed in seeds if (task, seed) in episodes} for task in tasks
    }
    counts = sorted(map(len, episodes.values()))
    notes = [_missing(played, tasks, seeds, len(episodes))]
    notes += [f"seeds have {counts[0]} to {counts[-1]} episodes"] if counts[0] < counts[-1] else []
    if normalised:
        means, left_out = _normalised(means)
        notes.append(left_out)
    elif len(tasks) > 1:
        notes.append("raw scores: tasks that pay much count most")
    return Table(means, counts[0], tuple(filter(None, notes)))


def of_both(
    played: Sequence[Played], one: str, other: str, *, normalised: bool = False, by_seed: bool = True
) -> tuple[Table, Table]:
    """The tables of two agents over the tasks that both have; by_seed: over the seeds of each that both have.

    Raises UserError where there are none.
    """
    left, right = (table_of(played, agent, normalised=normalised) for agent in (one, other))
    places = {task: left.means[task].keys() & right.means[task].keys() for task in left.tasks if task in right.means}
    shared = [task for task, seeds in places.items() if seeds or not by_seed]
    if not shared:
        raise UserError(
            f"{one} and {other} have no {'seed of a ' if by_seed else ''}task in common: play the same "
            f"{'seeds' if by_seed else 'tasks'} with both."
        )
    kept = [_kept(table, shared, places if by_seed else {}) for table in (left, right)]
    return kept[0], kept[1]


def _kept(table: Table, tasks: Sequence[str], seeds: Mapping[str, set[int]]) -> Table:
    means = {
        task: {seed: mean for seed, mean in table.means[task].items() if seed in seeds.get(task, table.means[task])}
        for task in tasks
    }
    lost = sum(map(len, table.seeds)) - sum(map(len, means.values()))
    note = (f"{lost} combinations of task and seed that only one of the two has are left out",) if lost else ()
    return Table(means, table.episodes, (*table.notes, *note))


def _episodes(played: Sequence[Played], agent: str) -> dict[tuple[str, int], dict[int, float]]:
    """(task, seed) -> episode -> score."""
    found = dict[tuple[str, int], dict[int, float]]()
    for one in (one for one in played if one.agent == agent):
        scores = found.setdefault((one.task, one.seed), {})
        place = f"Episode {one.episode} of {agent}, {one.task}, seed {one.seed}"
        if one.episode in scores:
            raise UserError(f"{place} is there twice: remove one of the two.")
        if not math.isfinite(one.score):
            raise UserError(f"{place} has the score {one.score}: play it again.")
        scores[one.episode] = one.score
    if not found:
        raise UserError(f"There are no scores of {agent}.{nearest(agent, {one.agent for one in played})}")
    return found


def _mean(scores: Mapping[int, float]) -> float:
    return math.fsum(scores.values()) / len(scores)


def _missing(played: Sequence[Played], tasks: Sequence[str], seeds: Sequence[int], there: int) -> str:
    wanted = {one.task for one in played} | set(tasks)
    lost = len(wanted) * len(seeds) - there
    return f"{lost} of {len(wanted) * len(seeds)} combinations of task and seed are missing" if lost else ""


def _normalised(means: Means) -> tuple[Means, str]:
    """(means of the games with a reference, what was left out)."""
    known = {task: by_seed for task, by_seed in means.items() if human_normalised(task, 0.0) is not None}
    if not known:
        raise UserError(
            f"No human score is known of {next(iter(means))} or of another task of these: ask for raw scores, or play "
            f"games of Atari 100k, such as ALE/Pong-v5."
        )
    found = {
        task: {seed: score for seed, mean in by_seed.items() if (score := human_normalised(task, mean)) is not None}
        for task, by_seed in known.items()
    }
    strange = [task for task in means if task not in known]
    return found, f"left out without a human score: {', '.join(strange)}" if strange else ""
