"""What the page shows of runs on videos: kNN, collapse, the map of a gallery and its neighbours, the views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.catalog.composition import is_reconstruction
from twofold.methods.systems import SYSTEMS
from twofold.page.columns import EFFECTIVE_RANK, LEARNING_RATE, LOSS, Column, Columns, speed, spread, wait_share
from twofold.page.facts import collapse
from twofold.page.gallery import MAP_SCRIPT, gallery_parts, read_gallery
from twofold.page.read import Run, read_or_note
from twofold.page.sections import Numbered, Parts, Sections, Together
from twofold.page.sprites import moving_picture
from twofold.page.words import Noun
from twofold.pixels.report import knn, sections
from twofold.pixels.report.sections import accuracy, tiles, together
from twofold.pixels.report.views import Shown, read_views, views_section
from twofold.videos.reading.clips import READ
from twofold.videos.report.answers import answers_sections, read_answers
from twofold.videos.report.retrieved import FILE, read_retrieved, retrieved_sections

_HERE = Path(__file__).parent
VIDEO = Noun("video", "videos")
READING = Column(
    READ,
    "Kilobytes read a clip",
    "Of the files, and of the frames that have to be decoded before a clip; what is in memory is not read again.",
    missing="What was read of the files was not logged.",
)
VIEWS = Shown(VIDEO, axes=5, template="clips.html", picture=moving_picture, side=92, rows=6, least=2)


def one(numbered: Numbered, room: float) -> Parts:
    """What the page shows of one run on videos; `room` as in `Sections`."""
    run, notes = numbered.run, list[str]()
    gallery = read_or_note(run.path / "gallery.npz", read_gallery, None, notes)
    views = read_or_note(run.path / "views.npz", lambda file: read_views(file, VIEWS), None, notes)
    shown = gallery_parts(gallery, numbered.index, room, VIDEO)
    asked = read_or_note(run.path / "pretext.npz", read_answers, None, notes)
    found = read_or_note(run.path / FILE, read_retrieved, None, notes)
    gain = knn.gain(run)
    return Parts(
        columns=_columns(knn.knn(run, online=True)[1]),
        sections=[
            *answers_sections(asked, room),
            *retrieved_sections(found, room),
            *shown.sections,
            views_section(views, room, VIEWS, run.config),
        ],
        tiles=tiles(run),
        verdicts=[collapse(run, VIDEO), *([gain] if gain else [])],
        notes=notes,
        style=shown.style,
        data=shown.data,
    )


def several(runs: Sequence[Numbered], room: float) -> Together:
    """What the page shows of several runs on videos side by side."""
    own = [numbered.run for numbered in runs]
    return together(own, _columns(knn.shared_floors(own)), VIDEO)


def scale(run: Run) -> list[str]:
    """How much was learned from, with what and for how long, a few words each."""
    config = run.config
    size = f"{config['frames']} frames of {config['image_size']} px" if config.get("frames") else ""
    return sections.scale(run, VIDEO.many, size)


def _columns(floors: Mapping[str, float]) -> Columns:
    shown = [LOSS, accuracy(floors), spread(VIDEO), EFFECTIVE_RANK, LEARNING_RATE, speed(VIDEO), wait_share(VIDEO)]
    return Columns([*shown, READING], others="shown", coloured=False)


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
