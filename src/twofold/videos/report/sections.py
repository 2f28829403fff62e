"""What the page shows of runs on videos: kNN, collapse, the map of a gallery and its neighbours, the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.catalog.composition import is_reconstruction
from twofold.methods.systems import SYSTEMS
from twofold.page.columns import EFFECTIVE_RANK, LEARNING_RATE, LOSS, Column, Columns, speed, spread, wait_share
from twofold.page.facts import collapse, last
from twofold.page.gallery import MAP_SCRIPT, gallery_parts, read_gallery
from twofold.page.read import Run, read_or_note
from twofold.page.scale import amount, batch, length
from twofold.page.sections import Cell, Numbered, Parts, Sections, Tile, Together
from twofold.page.words import Noun, number, number_or_dash
from twofold.pixels.report import knn
from twofold.videos.report.answers import answers_sections, read_answers
from twofold.videos.report.views import read_views, views_section

_HERE = Path(__file__).parent
VIDEO = Noun("video", "videos")


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run on videos; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    gallery = read_or_note(run.path / "gallery.npz", read_gallery, None, notes)
    views = read_or_note(run.path / "views.npz", read_views, None, notes)
    shown = gallery_parts(gallery, numbered.index, room, VIDEO)
    asked = read_or_note(run.path / "pretext.npz", read_answers, None, notes)
    gain = knn.gain(run)
    return Parts(
        columns=_columns(knn.knn(run, online=True)[1]),
        sections=[*answers_sections(asked, room), *shown.sections, views_section(views, room)],
        tiles=[*knn.tiles(run), *_tiles(run)],
        verdicts=[collapse(run, VIDEO), *([gain] if gain else [])],
        notes=notes,
        style=shown.style,
        data=shown.data,
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs on videos side by side."""
    own = [numbered.run for numbered in runs]
    columns = ("loss", "spread", "effective_rank")
    return Together(
        columns=_columns(knn.shared_floors(own)),
        numbers=["kNN", "Loss", "Spread", "Rank"],
        cells=[
            [accuracy, *(Cell(number_or_dash(last(run.metrics, column))) for column in columns)]
            for accuracy, run in zip(knn.cells(own), own, strict=True)
        ],
        judged=["Features"],
        verdicts=[[collapse(run, VIDEO)] for run in own],
    )


def scale(run: Run) -> list[str]:
    """How much was learned from, with what and for how long, a few words each."""
    config = run.config
    return [
        amount(run, "videos"),
        str(config["backbone"]) if config.get("backbone") else "",
        f"{config['frames']} frames of {config['image_size']} px" if config.get("frames") else "",
        length(run),
        batch(run),
    ]


def _columns(floors: Mapping[str, float]) -> Columns:
    accuracy = Column(
        "knn",
        "kNN accuracy",
        "Nearest-neighbour accuracy of the features: the check that it learns.",
        "percent",
        lines=floors,
    )
    shown = [LOSS, accuracy, spread(VIDEO), EFFECTIVE_RANK, LEARNING_RATE, speed(VIDEO), wait_share(VIDEO)]
    return Columns(shown, others="shown", coloured=False)


def _tiles(run: Run) -> list[Tile]:
    named = (
        ("loss", "Last loss", "the total"),
        ("spread", "Spread", "1 is healthy"),
        ("effective_rank", "Effective rank", "directions in use"),
    )
    values = ((last(run.metrics, column), label, beside) for column, label, beside in named)
    return [Tile(label, number(value), beside) for value, label, beside in values if value is not None]


SECTIONS = Sections(
    name="videos",
    unit=VIDEO,
    learned="backbone.safetensors",
    one=one,
    several=several,
    scale=scale,
    drawn="map",
    unreadable=VIDEO,
    html=_HERE,
    scripts=[MAP_SCRIPT],
    style=_HERE / "style.css",
    reconstructed=lambda method: is_reconstruction(method, SYSTEMS),
)
