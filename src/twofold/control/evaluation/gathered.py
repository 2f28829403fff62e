"""The episodes that finished runs have played, from all their folders, for scores over games and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twofold.control.evaluation.table import Played
from twofold.errors import UserError
from twofold.runs.config import expect, read_config
from twofold.runs.results import read_results

Rules = list[str]  # of an environment, and how long an agent learned in it


def played_in(runs: Iterable[str | Path], *, floors: bool = False) -> list[Played]:
    """What the agents of these run folders scored, episode by episode, in their last measurement of each game.

    floors: random actions, too. Raises UserError for a folder in which no agent has played, and where two have played
    the same game by different rules, or learned for a different time.
    """
    found, rules = list[Played](), dict[str, tuple[Path, Rules]]()
    for run in map(Path, runs):
        config = read_config(run)
        expect(config, run, method=str, seed=int)
        rows = [row for row in read_results(run) if row["protocol"] == "returns" and row["metric"] == "return"]
        if not rows:
            raise UserError(f"{run} holds no returns of an agent: its run has not finished, or learned from a log.")
        latest = {(row["name"] if row["floor"] else config["method"], row["data"]): row for row in rows}
        for (agent, task), row in latest.items():
            _check_rules(rules, run, task, row, config)
            if floors or not row["floor"]:
                scores = row.get("episodes", [row["value"]])
                found += [Played(agent, task, config["seed"], n, float(score)) for n, score in enumerate(scores)]
    return found


def _check_rules(
    known: dict[str, tuple[Path, Rules]], run: Path, task: str, row: Mapping[str, Any], config: Mapping[str, Any]
) -> None:
    """Refuse a run that played a game by other rules than the run before it that did."""
    own = str((row.get("conditions") or {}).get("environment", "")).split(", ")
    own.append(f"{config['steps']} decisions" if "steps" in config else "")
    before, others = known.setdefault(task, (run, own))
    if own != others:
        here, there = ", ".join(r for r in own if r not in others), ", ".join(r for r in others if r not in own)
        raise UserError(
            f"{before} and {run} played {task} by different rules, {there or 'others'} and {here or 'others'}: sum up "
            f"runs of the same rules."
        )
