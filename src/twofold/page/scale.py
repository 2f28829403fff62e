"""The size of a run in a few words each: how much data, how long, which batch."""

from __future__ import annotations

from twofold.page.facts import is_value
from twofold.page.read import Run


def amount(run: Run, what: str) -> str:
    """How much the run learned from, as its environment counts it; "" where that does not say."""
    count = run.environment.get(what)
    return f"{count:,} {what}" if count is not None and is_value(count) else ""


def length(run: Run) -> str:
    """The epochs or steps that were asked for; "" where the settings do not say."""
    return next((f"{run.config[key]} {key}" for key in ("epochs", "steps") if run.config.get(key)), "")


def batch(run: Run) -> str:
    """The batch size; "" where the settings do not say."""
    return f"batch {run.config['batch_size']}" if run.config.get("batch_size") else ""
