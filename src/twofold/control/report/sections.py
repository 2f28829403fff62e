"""What the page shows of control: learning curves, episodes that were played, and the returns that were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twofold.catalog.composition import is_reconstruction
from twofold.control.evaluation.curves import area_under_curve, end_of
from twofold.control.report.episode import Film, film_section, read_film
from twofold.control.report.returns import Stored, read_stored, stored_section
from twofold.control.report.scores import scores_section
from twofold.control.systems import SYSTEMS
from twofold.errors import UserError
from twofold.page.columns import LEARNING_RATE, LOSS, Column, Columns
from twofold.page.facts import last
from twofold.page.read import Run, read_or_note
from twofold.page.scale import batch
from twofold.page.sections import Cell, Numbered, Parts, Sections, Tile, Together
from twofold.page.words import Noun, number

_HERE = Path(__file__).parent
STEP = Noun("step", "steps")
_CURVES = (
    Column("eval_return", "Return, evaluated", "Mean over whole episodes that the agent played at its best."),
    Column("return", "Return, while learning", "Mean over the games that ended meanwhile, with exploration."),
    LOSS,
    Column("rcrl_near", "Cosine, same return", "Of embeddings of two moments with the same return."),
    Column("rcrl_far", "Cosine, other returns", "Of embeddings of two moments with other returns."),
    Column("curl_accuracy", "Own crop found", "How often a state finds its other crop in the batch.", unit="percent"),
)
_FOLDED = (
    Column("q", "Value", "What the agent thinks the drawn steps are worth."),
    Column("length", "Length of games", "Decisions of the games that ended meanwhile."),
    Column("eval_length", "Length of evaluated episodes", "Decisions of each."),
    Column("entropy", "Entropy", "Of the actor's actions."),
    Column("temperature", "Temperature", "The weight of the entropy."),
    Column("saturated", "Actions at their bounds", "The share of them.", unit="percent"),
    Column("weight_least", "Least importance weight", "Of a batch, over the largest."),
    Column("segments", "Segments", "Of two steps and more that are stored."),
    Column("frames_per_second", "Frames a second", "Of the environment."),
    Column("updates_per_second", "Updates a second", "Of the agent."),
    LEARNING_RATE,
)
_UNDRAWN = frozenset({"decisions", "games", "wait_share", "rcrl_pairs", "beyond_support", "dropped"})
COLUMNS = Columns(_CURVES, folded=_FOLDED, undrawn=_UNDRAWN, others="folded", along="decisions")


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run of control; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    film: Film | None = read_or_note(run.path / "episode.npz", read_film, None, notes)
    stored: Stored | None = read_or_note(run.path / "returns.npz", read_stored, None, notes)
    sections = [*film_section(film, room), *stored_section(stored)]
    return Parts(columns=COLUMNS, sections=sections, tiles=_tiles(run), notes=notes)


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs of control side by side."""
    columns = [[_evaluated(numbered.run) for numbered in runs], [_area(numbered.run) for numbered in runs]]
    best = [max((value for value in column if value is not None), default=None) for column in columns]
    cells = [
        [
            Cell("—" if value is None else number(value), best=value is not None and value == top)
            for value, top in zip(values, best, strict=True)
        ]
        for values in zip(*columns, strict=True)
    ]
    return Together(
        columns=COLUMNS,
        numbers=["Return, evaluated", "Area under the curve"],
        cells=cells,
        sections=scores_section([numbered.run for numbered in runs]),
    )


def scale(run: Run) -> list[str]:
    """How much was learned from and for how long, a few words each."""
    steps = run.config.get("steps")
    acted = last(run.metrics, "decisions") is not None
    what = "decisions" if acted else "steps"
    return [f"{steps:,} {what}" if isinstance(steps, int) else "", batch(run)]


def _evaluated(run: Run) -> float | None:
    return last(run.metrics, "eval_return")


def _area(run: Run) -> float | None:
    """The mean height of the curve of evaluations over decisions; None where that cannot be told."""
    logged = [row for row in run.metrics if "eval_return" in row and "decisions" in row]
    with suppress(UserError):
        return area_under_curve([row["decisions"] for row in logged], [row["eval_return"] for row in logged])
    return None


def _tiles(run: Run) -> list[Tile]:
    tiles = []
    if _evaluated(run) is not None:
        logged = [row for row in run.metrics if "eval_return" in row]
        end = end_of([row["step"] for row in logged], [row["eval_return"] for row in logged])
        tiles.append(Tile("Return at the end", number(end.last), f"the best evaluation: {number(end.best)}"))
    area = _area(run)
    if area is not None:
        tiles.append(Tile("Area under the curve", number(area), "mean of the evaluations over the decisions"))
    found: Mapping[str, Any] | None = next(
        (row for row in run.evaluation if row.get("protocol") == "linear" and not row.get("floor")), None
    )
    if found is not None:
        tiles.append(Tile("Return foretold, R2", f"{found['value']:.3f}", "linear, on episodes not seen"))
    return tiles


SECTIONS = Sections(
    name="control",
    unit=STEP,
    learned="encoder.safetensors",
    one=one,
    several=several,
    scale=scale,
    unreadable=Noun("file", "files"),
    html=_HERE,
    style=_HERE / "style.css",
    reconstructed=lambda method: is_reconstruction(method, SYSTEMS),
)
