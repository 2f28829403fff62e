"""The collapse watch: do the compared rows still differ from one another?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from twofold.evaluation.spectrum import effective_rank, spread
from twofold.runs.schema import wrong_in
from twofold.seam import Method
from twofold.training.plan import Plan

THRESHOLD = 0.3
SHRUNK = 0.25  # of the highest effective rank so far
FIRST_STEP = 50
_ROWS = 512  # enough for both numbers, and the decomposition stays within a few milliseconds


@dataclass(frozen=True)
class _Seen:
    """The state of a watch."""

    highest: float
    low: dict[str, int]
    warned: list[str]


class Watch:
    """Measures spread (1 is healthy, 0 collapsed) and effective rank; says once when the spread stays low, and once
    when the rank stays below a quarter of the highest so far.

    Networks start with nearly equal outputs for everything, so the first tenth of a run, and 50 steps at least, is only
    measured; a warning needs two low readings in a row.
    """

    def __init__(self, method: Method, plan: Plan) -> None:
        self.method, self.plan = method, plan
        self.highest = 0.0
        self.low = {"spread": 0, "effective_rank": 0}
        self.warned: set[str] = set()

    def state_dict(self) -> dict[str, Any]:
        """What it has seen so far, for a checkpoint."""
        return {"highest": self.highest, "low": dict(self.low), "warned": sorted(self.warned)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there; from nothing, of an earlier version, anew. Raises ValueError where it cannot be meant."""
        if not state:
            return
        if wrong := wrong_in(_Seen, state):
            raise ValueError(f"the {wrong} of its watch cannot be meant")
        self.highest, self.warned = float(state["highest"]), set(state["warned"])
        self.low = {name: int(state["low"].get(name, 0)) for name in self.low}

    def __call__(self, rows: Tensor, done: int, steps: int) -> tuple[dict[str, float], str | None]:
        """The two numbers of rows (B, D) after `done` steps of `steps`, with the most that the rank could be, and a
        warning or None."""
        rows = rows[:_ROWS].float()
        measured = {
            "spread": spread(rows),
            "effective_rank": effective_rank(rows),
            "effective_rank_limit": float(min(rows.shape)),
        }
        self.highest = max(self.highest, measured["effective_rank"])  # NaN changes nothing
        for name, alarm in (("spread", THRESHOLD), ("effective_rank", SHRUNK * self.highest)):
            self.low[name] = self.low[name] + 1 if measured[name] < alarm else 0
        if done < max(FIRST_STEP, steps / 10):
            return measured, None
        new = [name for name, readings in self.low.items() if readings >= 2 and name not in self.warned]
        self.warned |= {"spread", "effective_rank"} if "spread" in new else set(new)
        return measured, self._warning(measured, collapsing="spread" in new) if new else None

    def _warning(self, measured: dict[str, float], *, collapsing: bool) -> str:
        numbers = (
            f"spread {measured['spread']:.2f} (healthy is about 1, the alarm is below {THRESHOLD}), "
            f"effective rank {measured['effective_rank']:.1f} of {measured['effective_rank_limit']:.0f}, "
            f"highest so far {self.highest:.1f} (the alarm is below a quarter of it)"
        )
        causes = "; ".join(likely_causes(self.method, self.plan))
        if collapsing:
            return f"The representation is collapsing: {numbers}. Likely causes: {causes}."
        return (
            f"The representation is losing directions: {numbers}. Some do so while they learn: see whether what is "
            f"measured still rises. If not, likely causes: {causes}."
        )


def likely_causes(method: Method, plan: Plan) -> list[str]:
    """What to look at first, for this method and this plan."""
    causes = [f"the learning rate ({plan.peak_lr:.3g}) is too high", "the augmentation is too weak"]
    if plan.weight_decay > 1e-3:
        causes.append(f"the weight decay ({plan.weight_decay:g}) is too strong")
    return causes + method.collapse_causes()
