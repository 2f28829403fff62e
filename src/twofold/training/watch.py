"""The collapse watch: do the compared rows still differ from one another?"""

from __future__ import annotations

from torch import Tensor

from twofold.evaluation.spectrum import effective_rank, spread
from twofold.seam import Method
from twofold.training.plan import Plan

THRESHOLD = 0.3
FIRST_STEP = 50
_ROWS = 512  # enough for both numbers, and the decomposition stays within a few milliseconds


class Watch:
    """Measures spread (1 is healthy, 0 collapsed) and effective rank; says once when the spread stays low.

    Networks start with nearly equal outputs for everything, so the first tenth of a run, and 50 steps at least, is only
    measured; a warning needs two low readings in a row.
    """

    def __init__(self, method: Method, plan: Plan) -> None:
        self.method, self.plan = method, plan
        self.low = 0
        self.warned = False

    def __call__(self, rows: Tensor, done: int, steps: int) -> tuple[dict[str, float], str | None]:
        """The two numbers of rows (B, D) after `done` steps of `steps`, and a warning or None."""
        rows = rows[:_ROWS].float()
        measured = {"spread": spread(rows), "effective_rank": effective_rank(rows)}
        self.low = self.low + 1 if measured["spread"] < THRESHOLD else 0
        if self.warned or self.low < 2 or done < max(FIRST_STEP, steps / 10):
            return measured, None
        self.warned = True
        return measured, (
            f"The representation is collapsing: spread {measured['spread']:.2f} (healthy is about 1, the alarm is "
            f"below {THRESHOLD}), effective rank {measured['effective_rank']:.1f} of {rows.shape[1]}. "
            f"Likely causes: {'; '.join(likely_causes(self.method, self.plan))}."
        )


def likely_causes(method: Method, plan: Plan) -> list[str]:
    """What to look at first, for this method and this plan."""
    causes = [f"the learning rate ({plan.peak_lr:.3g}) is too high", "the augmentation is too weak"]
    if plan.weight_decay > 1e-3:
        causes.append(f"the weight decay ({plan.weight_decay:g}) is too strong")
    return causes + method.collapse_causes()
