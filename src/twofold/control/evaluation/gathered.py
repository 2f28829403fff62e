"""The episodes that finished runs have played, from all their folders, for scores over games and seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from twofold.control.evaluation.table import Played
from twofold.errors import UserError
from twofold.runs.config import expect, read_config
from twofold.runs.results import read_results


def played_in(runs: Iterable[str | Path], *, floors: bool = False) -> list[Played]:
    """What the agents of these run folders scored, episode by episode, in their last measurement of each game.

    floors: random actions, too. Raises UserError for a folder in which no agent has played.
    """
    found = list[Played]()
    for run in map(Path, runs):
        config = read_config(run)
        expect(config, run, method=str, seed=int)
        rows = [row for row in read_results(run) if row["protocol"] == "returns" and row["metric"] == "return"]
        if not rows:
            raise UserError(f"{run} holds no returns of an agent: its run has not finished, or learned from a log.")
        latest = {(row["name"] if row["floor"] else config["method"], row["data"]): row for row in rows}
        for (agent, task), row in latest.items():
            if floors or not row["floor"]:
                scores = row.get("episodes", [row["value"]])
                found += [Played(agent, task, config["seed"], n, float(score)) for n, score in enumerate(scores)]
    return found
