"""`check` on interactions: what is in the data, how it would be split, and what a run would do and need."""

from __future__ import annotations

from typing import Any

import numpy as np

from twofold.catalog.composition import Composition
from twofold.interactions.jobs.parts import open_data
from twofold.interactions.jobs.pretrain import make_plan
from twofold.interactions.jobs.settle import settle
from twofold.interactions.options import Pretrain
from twofold.printable import say


def run(composition: Composition, path: str, options: Pretrain) -> dict[str, Any]:
    """Print what was found and what would happen, and return the numbers; see `api.check`."""
    data = open_data(path, options, options.seed)
    say("\n".join(data.notes))
    numbers: dict[str, Any] = {"users": data.users, "items": data.items, "train": len(data.train)}
    for side, column, count in (("user", 0, data.users), ("item", 1, data.items)):
        each = np.bincount(data.train[:, column], minlength=count)
        low, middle, high = np.percentile(each, [10, 50, 100]) if count else (0, 0, 0)
        numbers[f"pairs_a_{side}"] = float(middle)
        say(f"training pairs of each {side}: {low:.0f} (10th percentile), {middle:.0f} (median), {high:.0f} (most)")
    settings = settle(options, composition, data, path)
    if composition.trained:
        say(f"\nA run would train {composition.name}:")
        say("\n".join(make_plan(settings).describe(len(data.train))))
    else:
        say(f"\nA run would rank by {composition.name}, which is not trained in steps.")
    return {**numbers, "settings": {"method": composition.name, "data": path, **settings.values()}}
