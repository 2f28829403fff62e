"""A run goes on from its last checkpoint, or from the one before, where what the last one needs is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twofold.errors import UserError
from twofold.runs.checkpoint import Checkpoint, Damaged
from twofold.runs.folder import RunFolder
from twofold.training.optimizer import check_state


def taken_up(run: RunFolder, parts: Mapping[str, Any], steps: int, count: int, unit: str) -> Checkpoint | None:
    """Load the last checkpoint into the parts of a run; None where there is none.

    parts: by the names of a `Checkpoint`'s fields. steps, count: of the run as it is now; unit: what is counted. Raises
    UserError where the checkpoint is of another run, or neither it nor the one before can be taken up.
    """
    found = run.load()
    if found is None:
        return None
    _check(run, found, steps, count, unit)
    try:
        _take_up(run, parts, found)
        return found
    except Damaged as error:
        why = error
    before = run.load_previous()
    if before is None or before.step >= found.step:
        raise UserError(f"{why}, and there is no checkpoint that does without it: give a new --out.") from why
    _check(run, before, steps, count, unit)
    try:
        _take_up(run, parts, before)
    except Damaged as error:
        raise UserError(f"{why}, and the checkpoint before cannot go on, either: give a new --out.") from error
    run.put_aside(
        f"{why}, so the checkpoint before is taken: what came after step {before.step:,}, up to step "
        f"{found.step:,}, is made again."
    )
    return before


def _check(run: RunFolder, found: Checkpoint, steps: int, count: int, unit: str) -> None:
    longer = found.open_ended and steps > found.steps
    if found.count != count or not (found.steps == steps or longer):
        raise UserError(
            f"{run.path} holds a run of {found.steps:,} steps on {found.count:,} {unit}, and "
            f"this one has {steps:,} on {count:,}: give a new --out, or the same data."
        )


def _take_up(run: RunFolder, parts: Mapping[str, Any], found: Checkpoint) -> None:
    try:
        check_state(parts["optimizer"], found.optimizer)
        for name, part in parts.items():
            part.load_state_dict(getattr(found, name))
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise UserError(
            f"{run.checkpoint_file} does not fit the method as it is now ({why}): give a new --out."
        ) from error
