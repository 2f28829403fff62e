"""What a comparison measured of a run, apart from what else stands in its evaluation.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twofold.runs.results import add_results, read_results

PURPOSE = {"purpose": "compare"}


def keep(folder: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """Add results of a comparison to those of a run folder."""
    add_results(folder, [{**row, **PURPOSE} for row in results])


def measured(folder: Path) -> list[dict[str, Any]]:
    """The results that were measured for the comparison; other entries of evaluation.json are somebody else's."""
    return [entry for entry in read_results(folder) if PURPOSE.items() <= entry.items()]


def missing(folder: Path, protocols: Iterable[str]) -> list[str]:
    """Those of the protocols that the run has not been measured by."""
    known = {row["protocol"] for row in measured(folder)}
    return [name for name in protocols if name not in known]
