"""The collapse watch: do the compared rows still differ from one another?"""

from __future__ import annotations

from torch import Tensor

from twofold.evaluation.spectrum import effective_rank, spread
from twofold.seam import Method
from twofold.training.plan import Plan

THRESHOLD = 0.3
SHRUNK = 0.25  # of the highest effective rank so far
FIRST_STEP = 50
_ROWS = 512  # enough for both numbers, and the decomposition stays within a few milliseconds


class Watch:
    """Measures spread (1 is healthy, 0 collapsed) and effective rank; says once when the spread stays low, or the rank
    below a quarter of the highest so far.

    Networks start with nearly equal outputs for everything, so the first tenth of a run, and 50 steps at least, is only
    measured; a warning needs two low readings in a row.
    """

    def __init__(self, method: Method, plan: Plan) -> None:
        self.method, self.plan = method, plan
        self.low, self.highest = 0, 0.0
        self.warned = False

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
        crowded, shrunk = measured["spread"] < THRESHOLD, measured["effective_rank"] < SHRUNK * self.highest
        self.low = self.low + 1 if crowded or shrunk else 0
        if self.warned or self.low < 2 or done < max(FIRST_STEP, steps / 10):
            return measured, None
        self.warned = True
        return measured, self._warning(measured, crowded)

    def _warning(self, measured: dict[str, float], crowded: bool) -> str:
        rank = f"effective rank {measured['effective_rank']:.1f} of {measured['effective_rank_limit']:.0f}"
        return (
            f"The representation is {'collapsing' if crowded else 'losing directions'}: "
            f"spread {measured['spread']:.2f} (healthy is about 1, the alarm is below {THRESHOLD}), "
            f"{rank}, highest so far {self.highest:.1f} (the alarm is below a quarter of it). "
            f"Likely causes: {'; '.join(likely_causes(self.method, self.plan))}."
        )


def likely_causes(method: Method, plan: Plan) -> list[str]:
    """What to look at first, for this method and this plan."""
    causes = [f"the learning rate ({plan.peak_lr:.3g}) is too high", "the augmentation is too weak"]
    if plan.weight_decay > 1e-3:
        causes.append(f"the weight decay ({plan.weight_decay:g}) is too strong")
    return causes + method.collapse_causes()
