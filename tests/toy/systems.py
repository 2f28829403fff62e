"""The systems of the toy wing: one of its own, and recipes for SimCLR, which needs no particular kind of data."""

from __future__ import annotations

from twofold.catalog.wing import Recipe, System

_PLAN = {"optimizer": "adam", "base_lr": 1e-2, "batch_size": 8}
SYSTEMS = {
    "restore": System(
        "Restoring numbers",
        "nobody's, 2026",
        "tests.toy.method:Restore",
        recipes={"default": Recipe("noise", _PLAN, {"hidden": 4}, "made up")},
        verified="it runs",
    )
}
RECIPES = {"simclr": {"default": Recipe("noise", _PLAN, {"dim": 4, "hidden": 8}, "made up")}}
