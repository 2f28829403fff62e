"""A gallery of what a run learned from, each a feature vector and a thumbnail, as a map and as nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twofold.page.embedding import agreement, flat_map, nearest, queries, sample, unit_rows
from twofold.page.read import read_arrays
from twofold.page.sections import Data, Section
from twofold.page.sprites import Sheet, sheet
from twofold.page.words import Noun, percent
from twofold.printable import spelled_out

MAP_SCRIPT = Path(__file__).parent / "map.js"  # A wing that shows a map lists it among its scripts.
_MAP_POINTS = 1000


@dataclass(frozen=True)
class Gallery:
    """What the network makes of some of the data: `features` (n, d) float32, `thumbnails` (n, h, w, 3) uint8, `names`
    of length n, `labels` (n,) int64 or None where the data has none, and `classes`, the labels' names."""

    features: np.ndarray
    thumbnails: np.ndarray
    names: list[str]
    labels: np.ndarray | None
    classes: list[str]


@dataclass(frozen=True)
class GalleryParts:
    """The sections of the map and of the neighbours, with the style that holds the thumbnails and the script's data."""

    sections: list[Section]
    style: str = ""
    data: Data = field(default_factory=dict)


@dataclass(frozen=True)
class _Shown:
    """What the templates show: counts, sentences, rows of neighbours. missing: the sentence for what is not there."""

    noun: Noun
    missing: str = ""
    shown: int = 0
    of: int = 0
    classes: bool = False
    rows: Sequence[dict[str, Any]] = ()
    agreement: str | None = None


def read_gallery(file: Path) -> Gallery:
    """A gallery.npz. Raises ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    features = np.asarray(arrays["features"], dtype=np.float32)
    thumbnails = checked_pictures(arrays["thumbnails"], 4, "thumbnails")
    names = checked_names(arrays["names"].tolist(), len(thumbnails), "thumbnails")
    labels = np.asarray(arrays["labels"], dtype=np.int64) if "labels" in arrays else np.full(len(names), -1)
    classes = [spelled_out(str(name)) for name in arrays["classes"]] if "classes" in arrays else []
    if features.ndim != 2 or not len(features) == len(thumbnails) == len(labels):
        raise ValueError(f"features {features.shape} for {len(thumbnails)} thumbnails and {len(labels)} labels")
    classes += [str(label) for label in range(len(classes), int(labels.max(initial=-1)) + 1)]
    return Gallery(features, thumbnails, names, labels if (labels >= 0).any() else None, classes)


def checked_pictures(array: np.ndarray, dimensions: int, what: str) -> np.ndarray:
    """The array, where it has so many dimensions, the last of 3 colours, and is uint8; else ValueError."""
    if array.ndim != dimensions or array.shape[-1] != 3 or array.dtype != np.uint8 or 0 in array.shape[1:]:
        raise ValueError(f"{what} are not uint8 pictures but {array.dtype} {array.shape}")
    return array


def checked_names(names: Sequence[Any], count: int, what: str) -> list[str]:
    """The names as text, where there are `count`; else ValueError."""
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} {what}")
    return [spelled_out(str(name)) for name in names]


def gallery_parts(gallery: Gallery | None, index: int, room: float, noun: Noun) -> GalleryParts:
    """The map (of at most the part `room` of 1,000 points, but 100) and the neighbours of the page's `index`-th run.

    noun: what the gallery is of. Where there is nothing to show the sections say why.
    """
    if gallery is None:
        return _nothing(noun, "No gallery was kept in this run: there is no map and there are no neighbours.")
    usable = np.flatnonzero(np.isfinite(gallery.features).all(axis=1))
    if len(usable) < 2:
        return _nothing(noun, f"The gallery has {len(usable)} usable feature vectors: too few for a map.")
    dropped = len(gallery.features) - len(usable)
    missing = f"{dropped} {noun.many} were left out because their features are not finite numbers." if dropped else ""
    unit = unit_rows(gallery.features[usable])
    labels = None if gallery.labels is None else gallery.labels[usable]

    asked = queries(labels, len(usable))
    found, cosines = nearest(unit, asked)
    chosen = sample(len(usable), max(100, int(room * _MAP_POINTS)))
    points = flat_map(unit[chosen])
    if points is None:
        missing += f" The {noun.many} are too few or their features all equal: there is no map to draw."
        chosen = chosen[:0]
    tiles = sheet(gallery.thumbnails[usable], np.unique(np.concatenate([chosen, asked, found.ravel()])))
    things = _Things(gallery, usable, labels, tiles)
    shown = _Shown(
        noun,
        missing.strip(),
        shown=len(chosen),
        of=len(usable),
        classes=gallery.labels is not None and bool(gallery.classes),
        rows=things.neighbours(asked, found, cosines),
        agreement=None if labels is None else percent(agreement(unit, labels)),
    )
    data = {} if points is None else {"maps": {str(index): things.map(points, chosen)}}
    return GalleryParts(_sections(shown), tiles.style(index), data)


def _nothing(noun: Noun, why: str) -> GalleryParts:
    return GalleryParts(_sections(_Shown(noun, why)))


def _sections(shown: _Shown) -> list[Section]:
    return [
        Section("map", "Map of the representation", "map.html", shown, "Map"),
        Section("neighbours", "Nearest neighbours", "neighbours.html", shown, "Neighbours"),
    ]


@dataclass(frozen=True)
class _Things:
    """The usable things of a gallery by their row: names, classes and places on the sheet."""

    gallery: Gallery
    usable: np.ndarray
    labels: np.ndarray | None
    tiles: Sheet

    def thing(self, row: int) -> dict[str, Any]:
        label = -1 if self.labels is None else int(self.labels[row])
        column, line = self.tiles.place[row]
        name, kind = self.gallery.names[self.usable[row]], self.gallery.classes[label] if label >= 0 else ""
        return {"name": name, "label": label, "class": kind, "column": column, "row": line}

    def neighbours(self, asked: np.ndarray, found: np.ndarray, cosines: np.ndarray) -> list[dict[str, Any]]:
        """A row for each of `asked`: itself, and its neighbours with their cosines."""
        digits = 3 if cosines.size and cosines.min() > 0.9 else 2  # Features that all point one way differ late.

        def beside(query: int, row: int, cosine: float) -> dict[str, Any]:
            unlabelled = self.labels is None or self.labels[row] < 0
            same = None if unlabelled or self.labels is None else bool(self.labels[row] == self.labels[query])
            return self.thing(row) | {"cosine": f"{cosine:.{digits}f}", "same": same}

        return [
            self.thing(query)
            | {"found": [beside(query, int(row), float(near)) for row, near in zip(rows, nears, strict=True)]}
            for query, rows, nears in zip(asked.tolist(), found, cosines, strict=True)
        ]

    def map(self, points: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
        """The map as the script draws it: of each point its place, label, name and tile."""
        things = [self.thing(int(row)) for row in chosen]
        return {
            "x": [round(float(x), 3) for x, _ in points],
            "y": [round(float(y), 3) for _, y in points],
            "label": [thing["label"] for thing in things],
            "name": [thing["name"] for thing in things],
            "tile": [thing["row"] * self.tiles.columns + thing["column"] for thing in things],
            "classes": self.gallery.classes if self.gallery.labels is not None else [],
            "columns": self.tiles.columns,
            "rows": self.tiles.rows,
        }
