"""What the page shows of runs on images: kNN, collapse, the map of a gallery and its neighbours, the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from twofold.catalog.composition import is_reconstruction
from twofold.images.report.dense import dense_section
from twofold.methods.systems import SYSTEMS
from twofold.page.columns import EFFECTIVE_RANK, LEARNING_RATE, LOSS, Column, Columns, speed, spread, wait_share
from twofold.page.facts import collapse, last
from twofold.page.gallery import MAP_SCRIPT, Gallery, gallery_parts, read_gallery
from twofold.page.read import Run, read_or_note
from twofold.page.sections import Numbered, Parts, Sections, Together
from twofold.page.sprites import picture
from twofold.page.words import Noun
from twofold.pixels.report import knn, sections
from twofold.pixels.report.sections import accuracy, tiles, together
from twofold.pixels.report.views import Shown, read_views, views_section

_HERE = Path(__file__).parent
IMAGE = Noun("image", "images")
VIEWS = Shown(IMAGE, axes=4, template="views.html", picture=picture, side=112, rows=8, least=3)
_NO_FLOORS = "No kNN floors (pixels, random network) were measured to hold the curve against."


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run on images; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    gallery = read_or_note(run.path / "gallery.npz", read_gallery, None, notes)
    views = read_or_note(run.path / "views.npz", lambda file: read_views(file, VIEWS), None, notes)
    shown = gallery_parts(gallery, numbered.index, room, IMAGE)
    floors = knn.knn(run, online=True)[1]
    gain = knn.gain(run)
    dense = dense_section(run, room, notes)
    return Parts(
        columns=_columns(floors, _unmeasured(gallery), cells_found=knn.floors_at_the_end(run, "correspondence")),
        sections=[*([dense] if dense else []), *shown.sections, views_section(views, room, VIEWS, run.config)],
        tiles=tiles(run),
        verdicts=[collapse(run, IMAGE), *([gain] if gain else [])],
        remarks=[*_channels(run), *([] if floors or last(run.metrics, "knn") is None else [_NO_FLOORS])],
        notes=notes,
        style=shown.style,
        data=shown.data,
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs on images side by side."""
    own = [numbered.run for numbered in runs]
    return together(own, _columns(knn.shared_floors(own), others="undrawn"), IMAGE)


def scale(run: Run) -> list[str]:
    """How much was learned from, with what and for how long, a few words each."""
    config = run.config
    size = f"{config['image_size']} px" if config.get("image_size") else ""
    return sections.scale(run, IMAGE.many, size)


def _columns(
    floors: Mapping[str, float],
    unmeasured: str = "",
    *,
    others: Literal["shown", "undrawn"] = "shown",
    cells_found: Mapping[str, float] | None = None,
) -> Columns:
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
        LOSS, accuracy(floors, unmeasured), found_again, spread(IMAGE), EFFECTIVE_RANK, consistency, LEARNING_RATE,
        speed(IMAGE), wait_share(IMAGE),
    ]  # fmt: skip
    return Columns(shown, others=others, coloured=False)


def _channels(run: Run) -> list[str]:
    """How images are shown that are no RGB."""
    channels = run.config.get("channels")
    if not isinstance(channels, int):
        return []
    shown = "the first three as red, green and blue" if channels > 2 else "the first in grey"
    return [
        f"The images have {channels} channel{'' if channels == 1 else 's'}. Pictures show {shown}, each channel from "
        f"its 1st to its 99th percentile."
    ]


def _unmeasured(gallery: Gallery | None) -> str:
    labelled = gallery is not None and gallery.labels is not None
    return "kNN was not measured in this run." if labelled else "No labels: kNN was not measured."


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
