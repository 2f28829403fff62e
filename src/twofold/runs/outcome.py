"""outcome.json of a run folder: how its training ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from twofold.errors import UserError
from twofold.files import write_json
from twofold.runs.schema import read_json

OUTCOME_FILE = "outcome.json"
# All that was asked; enough, since nothing more was gained; until a signal; there was nothing to train.
Ended = Literal["finished", "enough", "stopped", "untrained"]


def write_outcome(folder: Path, ended: Ended, steps: int, epochs: int) -> None:
    """Write down how the training ended, after how many steps and epochs (begun ones count)."""
    write_json(folder / OUTCOME_FILE, {"ended": ended, "steps": steps, "epochs": epochs})


def trained_epochs(folder: Path) -> int | None:
    """The epochs that a run has trained, or None where it does not say."""
    epochs = _stored(folder).get("epochs")
    return epochs if type(epochs) is int else None


def ended(folder: Path) -> str | None:
    """How the run ended, or None where it does not say."""
    found = _stored(folder).get("ended")
    return found if isinstance(found, str) else None


def _stored(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / OUTCOME_FILE)
    except UserError:
        return {}
    return found if isinstance(found, dict) else {}
