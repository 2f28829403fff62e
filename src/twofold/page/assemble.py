"""Runs -> one self-contained HTML page: no request leaves it, and no name in a run can become markup or script."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_text
from twofold.page.comparison import comparison_view
from twofold.page.overview import Group, overview_of
from twofold.page.read import Run, read_run
from twofold.page.render import Renderer
from twofold.page.run_view import RunView, run_view
from twofold.page.sections import Data, Numbered, Sections


def build(
    runs: Sequence[str | Path],
    out: str | Path,
    sections: Sections | Sequence[Sections],
    comparison: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the report of `runs` (run folders) to the file `out` (into it as report.html where it is a folder).

    sections: what the wing of each run gives to the page, or of all runs. comparison: what `compare` wrote to
    compare.json about these runs; its table and plots come first.

    Returns the file written; it replaces an older one only when it is whole. Needs the extra `report`. Raises UserError
    where that is missing, no run is given, a folder is no run, or `out` cannot be written.
    """
    renderer = Renderer()
    if not runs:
        raise UserError("There is nothing to report: give at least one run folder.")
    wings = [sections] * len(runs) if isinstance(sections, Sections) else list(sections)
    numbered = _numbered([read_run(run) for run in runs])
    room = min(1.0, 1.5 / len(numbered))  # Several share what one and a half may have: a page too heavy is not sent.
    views = [run_view(run, wing, room) for run, wing in zip(numbered, wings, strict=True)]
    overview = overview_of(numbered, wings, room) if len(numbered) > 1 else None
    compared = comparison_view(comparison) if comparison else None
    parts: list[RunView | Group] = [*views, *(overview.groups if overview else [])]
    level = 2 if len(views) == 1 and not compared else 3
    title = compared["title"] if compared else numbered[0].name if len(numbered) == 1 else f"{len(numbered)} runs"
    page = renderer.page(
        wings=wings,
        title=title,
        level=level,
        runs=[renderer.run(view, wing, level) for view, wing in zip(views, wings, strict=True)],
        overview=renderer.overview(overview) if overview else None,
        comparison=compared,
        data={
            "charts": {chart.id: chart.data() for part in parts for chart in part.charts},
            "dots": {plot["id"]: plot for plot in compared["dots"]} if compared else {},
            **_merged(part.data for part in parts),
        },
    )
    return _write(page, Path(out))


def _numbered(runs: Sequence[Run]) -> list[Numbered]:
    """The runs under names that no two share: more of their paths where their folders are called alike."""
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = ["/".join(run.path.resolve().parts[-2:]) for run in runs]
    distinct = [name if names.count(name) == 1 else f"{name} ({index + 1})" for index, name in enumerate(names)]
    return [Numbered(index, name, run) for index, (name, run) in enumerate(zip(distinct, runs, strict=True))]


def _merged(parts: Iterable[Data]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, by_id in part.items():
            merged.setdefault(name, {}).update(by_id)
    return merged


def _write(page: str, out: Path) -> Path:
    if os.path.isdir(out):
        out = out / "report.html"
    try:
        # A name of a file may hold bytes that are no text.
        write_text(out, page.encode("utf-8", errors="replace").decode("utf-8"))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}): name another place.") from error
    return out
