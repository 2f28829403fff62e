"""Reads a run folder into one record; whatever is missing or broken becomes a note, never an exception."""

from __future__ import annotations

import csv
import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from twofold.runs.config import CONFIG_FILE, flatten, read_config

T = TypeVar("T")


@dataclass(frozen=True)
class Gallery:
    """What the network makes of some images: `features` (n, d) float32, `thumbnails` (n, h, w, 3) uint8, `names` of
    length n, `labels` (n,) int64 or None where the data has none, and `classes`, the labels' names."""

    features: np.ndarray
    thumbnails: np.ndarray
    names: list[str]
    labels: np.ndarray | None
    classes: list[str]


@dataclass(frozen=True)
class ViewSamples:
    """Source images (n, h, w, 3) and the views made of them (n, V, H, W, 3), all uint8."""

    sources: np.ndarray
    views: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class Sample:
    """A user of a run on interactions, with `count` items: some of these, (id, title), and the best new items, (id,
    title, score)."""

    user: str
    count: int
    learned: list[tuple[str, str]]
    recommended: list[tuple[str, str, float]]


@dataclass(frozen=True)
class Run:
    """One run folder. `metrics` holds a mapping a logged step, empty cells left out, in rising order of steps."""

    path: Path
    name: str
    config: dict[str, Any]
    environment: dict[str, Any]
    metrics: list[dict[str, float]]
    evaluation: list[dict[str, Any]]
    gallery: Gallery | None
    views: ViewSamples | None
    unreadable: list[str]
    log: list[str]
    exported: bool
    written: datetime
    notes: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def read_run(path: str | Path) -> Run:
    """The run in the folder `path`. Every file but `config.yaml` may be missing.

    Raises UserError where the folder, or a legible `config.yaml` in it, is missing.
    """
    path = Path(path)
    config = read_config(path)
    notes: list[str] = []
    environment: Any = _attempt(path / "environment.json", _json, {}, notes)
    evaluation: Any = _attempt(path / "evaluation.json", _json, [], notes)
    return Run(
        path=path,
        name=path.resolve().name,
        config=flatten(config),
        environment=flatten(environment) if isinstance(environment, dict) else {},
        metrics=_attempt(path / "metrics.csv", _metrics, [], notes),
        evaluation=[entry for entry in evaluation if isinstance(entry, dict)] if isinstance(evaluation, list) else [],
        gallery=_attempt(path / "gallery.npz", _gallery, None, notes),
        views=_attempt(path / "views.npz", _views, None, notes),
        unreadable=_attempt(path / "unreadable.txt", _lines, [], notes),
        log=_attempt(path / "log.txt", _lines, [], notes),
        exported=any((path / name).is_file() for name in ("backbone.safetensors", "model.safetensors")),
        written=datetime.fromtimestamp((path / CONFIG_FILE).stat().st_mtime),
        notes=notes,
        samples=_attempt(path / "samples.json", _samples, [], notes),
    )


def _attempt(file: Path, reader: Callable[[Path], T], default: T, notes: list[str]) -> T:
    if not file.is_file():
        return default
    try:
        return reader(file)
    except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile, csv.Error) as error:
        notes.append(f"{file.name} could not be read ({_first_line(error)}) and was left out.")
        return default


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8", errors="replace"))


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _samples(file: Path) -> list[Sample]:
    return [
        Sample(
            str(entry["user"]),
            operator.index(entry["count"]),
            [(str(item["item"]), str(item["title"])) for item in entry["learned"]],
            [(str(item["item"]), str(item["title"]), float(item["score"])) for item in entry["recommended"]],
        )
        for entry in _json(file)["users"]
    ]


def _metrics(file: Path) -> list[dict[str, float]]:
    # A resumed run may write steps again after its checkpoint: the later writing stands.
    rows: list[dict[str, float]] = []
    with file.open(encoding="utf-8", errors="replace", newline="") as handle:
        for cells in csv.DictReader(line.replace("\0", "") for line in handle):
            row = {column: value for column, cell in cells.items() if column and (value := _number(cell)) is not None}
            step = row.get("step")
            if step is None or not np.isfinite(step):
                continue
            while rows and rows[-1]["step"] > step:
                rows.pop()
            if rows and rows[-1]["step"] == step:
                rows[-1] |= row
            else:
                rows.append(row)
    return rows


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _pictures(array: np.ndarray, dimensions: int, what: str) -> np.ndarray:
    if array.ndim != dimensions or array.shape[-1] != 3 or array.dtype != np.uint8 or 0 in array.shape[1:]:
        raise ValueError(f"{what} are not uint8 pictures but {array.dtype} {array.shape}")
    return array


def _names(names: Sequence[Any], count: int) -> list[str]:
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} images")
    return [str(name) for name in names]


def _gallery(file: Path) -> Gallery:
    with np.load(file, allow_pickle=False) as arrays:
        features = np.asarray(arrays["features"], dtype=np.float32)
        thumbnails = _pictures(arrays["thumbnails"], 4, "thumbnails")
        names = _names(arrays["names"], len(thumbnails))
        labels = np.asarray(arrays["labels"], dtype=np.int64) if "labels" in arrays else np.full(len(names), -1)
        classes = [str(name) for name in arrays["classes"]] if "classes" in arrays else []
    if features.ndim != 2 or not len(features) == len(thumbnails) == len(labels):
        raise ValueError(f"features {features.shape} for {len(thumbnails)} thumbnails and {len(labels)} labels")
    classes += [str(label) for label in range(len(classes), int(labels.max(initial=-1)) + 1)]
    return Gallery(features, thumbnails, names, labels if (labels >= 0).any() else None, classes)


def _views(file: Path) -> ViewSamples:
    with np.load(file, allow_pickle=False) as arrays:
        sources = _pictures(arrays["sources"], 4, "sources")
        views = _pictures(arrays["views"], 5, "views")
        names = _names(arrays["names"], len(sources))
    if len(views) != len(sources):
        raise ValueError(f"{len(views)} sets of views for {len(sources)} sources")
    return ViewSamples(sources, views, names)
