"""A run's gallery as the page shows it: the map, the neighbours, and the sheet that holds all their thumbnails."""

from __future__ import annotations

from typing import Any

import numpy as np

from twofold.page import facts
from twofold.page.embedding import agreement, flat_map, nearest, queries, sample, unit_rows
from twofold.page.read import Gallery
from twofold.page.sprites import Sheet, sheet

_MAP_POINTS = 1000


def gallery_view(gallery: Gallery | None, share: float = 1.0) -> dict[str, Any]:
    """The template's `map` (at most `share` of 1,000 images, but 100), `neighbours`, `agreement`, `sheet`, each None
    where there is nothing to show, and `gallery_said`, the sentence for what is missing."""
    nothing: dict[str, Any] = {"map": None, "neighbours": None, "agreement": None, "sheet": None, "gallery_said": ""}
    if gallery is None:
        return nothing | {
            "gallery_said": "No gallery was kept in this run: there is no map and there are no neighbours."
        }
    usable = np.flatnonzero(np.isfinite(gallery.features).all(axis=1))
    if len(usable) < 2:
        return nothing | {"gallery_said": f"The gallery has {len(usable)} usable feature vectors: too few for a map."}
    dropped = len(gallery.features) - len(usable)
    said = f"{dropped} images were left out because their features are not finite numbers." if dropped else ""
    unit = unit_rows(gallery.features[usable])
    labels = None if gallery.labels is None else gallery.labels[usable]

    asked = queries(labels, len(usable))
    found, cosines = nearest(unit, asked)
    chosen = sample(len(usable), max(100, int(share * _MAP_POINTS)))
    points = flat_map(unit[chosen])
    if points is None:
        said += " The images are too few or their features all equal: there is no map to draw."
        chosen = chosen[:0]
    tiles = sheet(gallery.thumbnails[usable], np.unique(np.concatenate([chosen, asked, found.ravel()])))

    digits = 3 if cosines.size and cosines.min() > 0.9 else 2  # Features that all point one way differ late.

    def item(row: int) -> dict[str, Any]:
        label = -1 if labels is None else int(labels[row])
        column, line = tiles.place[row]
        kind = gallery.classes[label] if label >= 0 else ""
        return {"name": gallery.names[usable[row]], "label": label, "class": kind, "column": column, "row": line}

    def neighbour(query: int, row: int, cosine: float) -> dict[str, Any]:
        same = None if labels is None or labels[row] < 0 else bool(labels[row] == labels[query])
        return item(row) | {"cosine": f"{cosine:.{digits}f}", "same": same}

    rows = [
        item(q) | {"found": [neighbour(q, int(n), float(c)) for n, c in zip(ns, cs, strict=True)]}
        for q, ns, cs in zip(asked.tolist(), found, cosines, strict=True)
    ]
    return {
        "sheet": tiles,
        "gallery_said": said.strip(),
        "neighbours": rows,
        "agreement": None if labels is None else facts.percent(agreement(unit, labels)),
        "map": None
        if points is None
        else _map(points, [item(int(row)) for row in chosen], gallery, len(usable), tiles),
    }


def _map(points: np.ndarray, items: list[dict[str, Any]], gallery: Gallery, of: int, tiles: Sheet) -> dict[str, Any]:
    return {
        "shown": len(items),
        "of": of,
        "points": {
            "x": [round(float(x), 3) for x, _ in points],
            "y": [round(float(y), 3) for _, y in points],
            "label": [item["label"] for item in items],
            "name": [item["name"] for item in items],
            "tile": [item["row"] * tiles.columns + item["column"] for item in items],
            "classes": gallery.classes if gallery.labels is not None else [],
            "columns": tiles.columns,
            "rows": tiles.rows,
        },
    }
