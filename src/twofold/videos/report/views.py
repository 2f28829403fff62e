"""The views of a run on videos: some clips, and the views made of them, as moving pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twofold.page.gallery import checked_names, checked_pictures
from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.sprites import moving_picture

_ROWS, _VIEWS, _SIDE = 6, 6, 92


@dataclass(frozen=True)
class ViewSamples:
    """Clips (n, T, h, w, 3) and the views made of them (n, V, T, H, W, 3), all uint8."""

    sources: np.ndarray
    views: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class ViewRow:
    """A clip and its views, as addresses of moving pictures."""

    name: str
    source: str
    views: list[str]


def read_views(file: Path) -> ViewSamples:
    """A views.npz. Raises ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    sources = checked_pictures(arrays["sources"], 5, "sources")
    views = checked_pictures(arrays["views"], 6, "views")
    names = checked_names(arrays["names"].tolist(), len(sources), "videos")
    if len(views) != len(sources):
        raise ValueError(f"{len(views)} sets of views for {len(sources)} sources")
    return ViewSamples(sources, views, names)


def views_section(samples: ViewSamples | None, room: float) -> Section:
    """The section of the views, of fewer videos where a run has only the part `room` of a page of its own."""
    rows = [] if samples is None else _rows(samples, max(2, round(room * _ROWS)))
    return Section("views", "Views", "clips.html", rows, "Views")


def _rows(samples: ViewSamples, count: int) -> list[ViewRow]:
    return [
        ViewRow(name, moving_picture(source, _SIDE), [moving_picture(view, _SIDE) for view in views[:_VIEWS]])
        for name, source, views in list(zip(samples.names, samples.sources, samples.views, strict=True))[:count]
    ]
