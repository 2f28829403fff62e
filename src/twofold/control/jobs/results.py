"""What was measured, as evaluation.json keeps it and as a table says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twofold.control.acting.evaluation import PlayedEpisode
from twofold.control.evaluation.atari_scores import human_normalised
from twofold.control.evaluation.bootstrap import mean_interval

FEWEST = 3  # episodes, below which there is no interval
WAYS = {"return": "{:,.4g}", "human-normalised": "{:.3f}", "length": "{:,.4g}"}


@dataclass(frozen=True)
class Conditions:
    """What makes a number another one. protocol: of the environment or the log, in words; decisions: of training."""

    protocol: str
    seed: int
    decisions: int | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    def of(self, data: str) -> dict[str, Any]:
        """As the entries of evaluation.json have them."""
        trained = {} if self.decisions is None else {"decisions trained": self.decisions}
        conditions = {"environment": self.protocol, **trained}
        return {"data": data, "seed": self.seed, "conditions": conditions, "fingerprints": dict(self.fingerprints)}


def played_rows(
    name: str, data: str, played: Sequence[PlayedEpisode], conditions: Conditions, *, floor: bool = False
) -> list[dict[str, Any]]:
    """Mean return and length over the episodes, the return's interval over them, and every score."""
    scores = [one.score for one in played]
    mean = float(np.mean(scores))
    entry = {
        "protocol": "returns",
        "settings": f"{whole_episodes(len(scores))}{_left_out(sum(one.dropped for one in played))}",
        "name": name,
        "floor": floor,
        **conditions.of(data),
    }
    rows = [{**entry, "metric": "return", "value": mean, "episodes": scores}]
    if len(scores) >= FEWEST:
        rows[0]["low"], rows[0]["high"] = mean_interval(scores, conditions.seed)
    normalised = human_normalised(data, mean)
    if normalised is not None:
        rows.append({**entry, "metric": "human-normalised", "value": normalised})
    rows.append({**entry, "metric": "length", "value": float(np.mean([one.decisions for one in played]))})
    return rows


def played_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as text: a line for each that played; intervals are over episodes of one agent, not over agents."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines = [["", *metrics]]
    for name in names:
        found = {row["metric"]: row for row in rows if row["name"] == name}
        lines.append([name, *(_cell(found.get(metric), metric) for metric in metrics)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    inside = "; in brackets 95 % of the bootstrap over these episodes, not over seeds"
    settled = "; ".join(dict.fromkeys(str(row["settings"]) for row in rows))
    how = f"{settled}{inside if any('low' in row for row in rows) else ''}"
    return "\n".join([*text, how])


def whole_episodes(count: int) -> str:
    """So many episodes, in words."""
    return f"{count:,} whole episode{'s' if count != 1 else ''}"


def _left_out(count: int) -> str:
    return f", rewards that are no number left out: {count:,}" if count else ""


def _cell(row: Mapping[str, Any] | None, metric: str) -> str:
    if row is None:
        return "-"
    way = WAYS.get(metric, "{:.4g}")
    shown = way.format(row["value"])
    return f"{shown} [{way.format(row['low'])}, {way.format(row['high'])}]" if "low" in row else shown
