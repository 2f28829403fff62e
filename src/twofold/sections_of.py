"""For the time being: the sections of the wing that made a run. `wings.of_run` takes its place."""

from __future__ import annotations

from pathlib import Path

from twofold.catalog import SYSTEMS
from twofold.page import Run, Sections, read_run

_RANKED = "recall@20"


def sections_of(folder: str | Path) -> Sections:
    """What the wing of the run in `folder` gives to the page. Raises UserError where there is no run."""
    from twofold.images.report.sections import SECTIONS as IMAGES
    from twofold.interactions.report.sections import SECTIONS as INTERACTIONS

    return INTERACTIONS if _ranks(read_run(folder)) else IMAGES


def _ranks(run: Run) -> bool:
    """Whether a run learned from interactions, by its method or by what it measured."""
    system = SYSTEMS.get(str(run.config.get("method")))
    return (
        (system is not None and system.kind == "interactions")
        or any(_RANKED in row for row in run.metrics)
        or any(entry.get("protocol") == "ranking" for entry in run.evaluation)
    )
