"""The views of a run: some of what it learned from, and the views made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from twofold.page.gallery import checked_names, checked_pictures
from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.words import Noun

_VIEWS = 6


@dataclass(frozen=True)
class Shown:
    """How a wing shows views. thing: what they are made of. axes: of a stored array of such things. template: of the
    section. picture: a thing as the address of a picture of `side` px. rows: on a page of its own; least: at least."""

    thing: Noun
    axes: int
    template: str
    picture: Callable[[np.ndarray, int], str]
    side: int
    rows: int
    least: int


@dataclass(frozen=True)
class ViewSamples:
    """Pictures (n, h, w, 3) or clips (n, T, h, w, 3) and the views made of them (n, V, ...), all uint8."""

    sources: np.ndarray
    views: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class ViewRow:
    """A source and its views, as addresses of pictures."""

    name: str
    source: str
    views: list[str]


def read_views(file: Path, shown: Shown) -> ViewSamples:
    """A views.npz. Raises ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    sources = checked_pictures(arrays["sources"], shown.axes, "sources")
    views = checked_pictures(arrays["views"], shown.axes + 1, "views")
    names = checked_names(arrays["names"].tolist(), len(sources), shown.thing.many)
    if len(views) != len(sources):
        raise ValueError(f"{len(views)} sets of views for {len(sources)} sources")
    return ViewSamples(sources, views, names)


def views_section(
    samples: ViewSamples | None, room: float, shown: Shown, config: Mapping[str, Any] = MappingProxyType({})
) -> Section:
    """The section of the views, with fewer rows where a run has only the part `room` of a page of its own. config: of
    the run, which says by what they were made."""
    rows = [] if samples is None else _rows(samples, max(shown.least, round(room * shown.rows)), shown)
    return Section("views", _heading(config), shown.template, rows, "Views")


def _heading(config: Mapping[str, Any]) -> str:
    """The augmentation's name, with what was changed in it."""
    own = "view_options."
    changes = [f"{name.removeprefix(own)} {_typed(config[name])}" for name in config if name.startswith(own)]
    made = f" by {config['views']}" if config.get("views") else ""
    return f"Views{made}" + (f", changed: {'; '.join(changes)}" if changes else "")


def _typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _rows(samples: ViewSamples, count: int, shown: Shown) -> list[ViewRow]:
    return [
        ViewRow(name, shown.picture(source, shown.side), [shown.picture(view, shown.side) for view in views[:_VIEWS]])
        for name, source, views in list(zip(samples.names, samples.sources, samples.views, strict=True))[:count]
    ]
