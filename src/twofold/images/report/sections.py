"""What the page shows of runs on images: kNN, collapse, the map of a gallery and its neighbours, the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from twofold.catalog.composition import is_reconstruction
from twofold.images.report.dense import dense_section
from twofold.images.report.views import read_views, views_section
from twofold.methods.systems import SYSTEMS
from twofold.page.columns import EFFECTIVE_RANK, LEARNING_RATE, LOSS, Column, Columns, speed, spread, wait_share
from twofold.page.facts import collapse, last
from twofold.page.gallery import MAP_SCRIPT, Gallery, gallery_parts, read_gallery
from twofold.page.read import Run, read_or_note
from twofold.page.scale import amount, batch, length
from twofold.page.sections import Cell, Numbered, Parts, Sections, Tile, Together
from twofold.page.words import Noun, number, number_or_dash
from twofold.pixels.report import knn

_HERE = Path(__file__).parent
IMAGE = Noun("image", "images")
_NO_FLOORS = "No kNN floors (pixels, random network) were measured to hold the curve against."


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run on images; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    gallery = read_or_note(run.path / "gallery.npz", read_gallery, None, notes)
    views = read_or_note(run.path / "views.npz", read_views, None, notes)
    shown = gallery_parts(gallery, numbered.index, room, IMAGE)
    floors = knn.knn(run, online=True)[1]
    gain = knn.gain(run)
    dense = dense_section(run, room, notes)
    return Parts(
        columns=_columns(floors, _unmeasured(gallery), cells_found=knn.floors_at_the_end(run, "correspondence")),
        sections=[*([dense] if dense else []), *shown.sections, views_section(views, room)],
        tiles=[*knn.tiles(run), *_tiles(run)],
        verdicts=[collapse(run, IMAGE), *([gain] if gain else [])],
        remarks=[] if floors or last(run.metrics, "knn") is None else [_NO_FLOORS],
        notes=notes,
        style=shown.style,
        data=shown.data,
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs on images side by side."""
    own = [numbered.run for numbered in runs]
    columns = ("loss", "spread", "effective_rank")
    return Together(
        columns=_columns(knn.shared_floors(own), others="undrawn"),
        numbers=["kNN", "Loss", "Spread", "Rank"],
        cells=[
            [accuracy, *(Cell(number_or_dash(last(run.metrics, column))) for column in columns)]
            for accuracy, run in zip(knn.cells(own), own, strict=True)
        ],
        judged=["Features"],
        verdicts=[[collapse(run, IMAGE)] for run in own],
    )


def scale(run: Run) -> list[str]:
    """How much was learned from, with what and for how long, a few words each."""
    config = run.config
    return [
        amount(run, "images"),
        str(config["backbone"]) if config.get("backbone") else "",
        f"{config['image_size']} px" if config.get("image_size") else "",
        length(run),
        batch(run),
    ]


def _columns(
    floors: Mapping[str, float],
    unmeasured: str = "",
    *,
    others: Literal["shown", "undrawn"] = "shown",
    cells_found: Mapping[str, float] | None = None,
) -> Columns:
    accuracy = Column(
        "knn",
        "kNN accuracy",
        "Nearest-neighbour accuracy of the features: the check that it learns.",
        "percent",
        missing=unmeasured,
        lines=floors,
    )
    found_again = Column(
        "correspondence",
        "Correspondence",
        "Share of the map's cells found again in another crop of the same image, at most a cell away.",
        "percent",
        lines=cells_found or {},
    )
    consistency = Column(
        "temporal_consistency",
        "Temporal consistency",
        "Cosine of the same images' features to those of a tenth of the run before.",
    )
    shown = [
        LOSS, accuracy, found_again, spread(IMAGE), EFFECTIVE_RANK, consistency, LEARNING_RATE, speed(IMAGE),
        wait_share(IMAGE),
    ]  # fmt: skip
    return Columns(shown, others=others, coloured=False)


def _unmeasured(gallery: Gallery | None) -> str:
    labelled = gallery is not None and gallery.labels is not None
    return "kNN was not measured in this run." if labelled else "No labels: kNN was not measured."


def _tiles(run: Run) -> list[Tile]:
    named = (
        ("loss", "Last loss", "the total"),
        ("spread", "Spread", "1 is healthy"),
        ("effective_rank", "Effective rank", "directions in use"),
    )
    values = ((last(run.metrics, column), label, beside) for column, label, beside in named)
    return [Tile(label, number(value), beside) for value, label, beside in values if value is not None]


SECTIONS = Sections(
    name="images",
    unit=IMAGE,
    learned="backbone.safetensors",
    one=one,
    several=several,
    scale=scale,
    drawn="map",
    unreadable=IMAGE,
    html=_HERE,
    scripts=[MAP_SCRIPT],
    style=_HERE / "style.css",
    reconstructed=lambda method: is_reconstruction(method, SYSTEMS),
)
