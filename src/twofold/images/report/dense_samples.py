"""What dense protocols keep in a run folder to be shown: `dense/PROTOCOL.npz`, read with every array checked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from twofold.page.gallery import checked_names
from twofold.page.read import read_arrays
from twofold.printable import spelled_out

FOLDER = "dense"
MOST_SHOWN, MOST_SIDE, MOST_CLASSES, MOST_MARKS = 12, 1024, 1000, 200


@dataclass(frozen=True)
class Masked:
    """A picture (h, w, 3) uint8; truth, answer: int (h, w), the class of each pixel, -1 where it is ignored."""

    name: str
    picture: np.ndarray
    truth: np.ndarray
    answer: np.ndarray


@dataclass(frozen=True)
class Query:
    """patches: a query's, then its nearest ones', (1 + k, s, s, 3) uint8. kinds: (1 + k,), classes. cosines: (k,)."""

    patches: np.ndarray
    kinds: list[int]
    cosines: list[float]


@dataclass(frozen=True)
class Pair:
    """Two views (h, w, 3) uint8. points: (n, 6), x and y, in shares of the view, of a cell in the first, of where it
    was found in the second, and of where it is there. cell: from cell to cell, a share of the view."""

    name: str
    first: np.ndarray
    second: np.ndarray
    points: np.ndarray
    cell: float


@dataclass(frozen=True)
class Boxed:
    """A picture (h, w, 3) uint8. true (n, 4) and found (2, 4), by LOST and by TokenCut: left, top, right, bottom in
    shares of the picture. hits: which of the found ones are right."""

    name: str
    picture: np.ndarray
    true: np.ndarray
    found: np.ndarray
    hits: list[bool]


@dataclass(frozen=True)
class DenseSamples:
    """about: on what, in words. classes: names by number. The lists are empty where a protocol has no such thing."""

    about: str
    classes: list[str]
    masks: list[Masked]
    queries: list[Query]
    pairs: list[Pair]
    boxes: list[Boxed]


def read_samples(file: Path) -> DenseSamples:
    """The file of a protocol. ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    about = checked_names(arrays["about"].tolist(), 1, "sentence")[0]
    classes = [spelled_out(str(name)) for name in arrays["classes"].tolist()]
    listed = arrays["names"].tolist()
    if len(listed) > MOST_SHOWN or len(classes) > MOST_CLASSES:
        raise ValueError(f"{len(listed)} pictures and {len(classes)} classes are more than a page shows")
    names = checked_names(listed, len(listed), "pictures")
    return DenseSamples(
        about,
        classes,
        [_masked(arrays, i, name, len(classes)) for i, name in enumerate(names) if f"truth{i}" in arrays],
        _queries(arrays, len(classes)) if "kinds" in arrays else [],
        [_pair(arrays, i, name) for i, name in enumerate(names) if f"points{i}" in arrays],
        [_boxed(arrays, i, name) for i, name in enumerate(names) if f"found{i}" in arrays],
    )


def _masked(arrays: Mapping[str, np.ndarray], i: int, name: str, classes: int) -> Masked:
    picture = _decoded(arrays[f"picture{i}"])
    masks = [arrays[f"{kind}{i}"] for kind in ("truth", "answer")]
    for mask in masks:
        if mask.shape != picture.shape[:2] or mask.dtype.kind not in "iu":
            raise ValueError(f"a mask {mask.dtype} {mask.shape} for a picture {picture.shape}")
        if mask.min() < -1 or mask.max() >= classes:
            raise ValueError(f"a mask has classes beyond the {classes} that are named")
    return Masked(name, picture, *masks)


def _queries(arrays: Mapping[str, np.ndarray], classes: int) -> list[Query]:
    kinds, cosines = arrays["kinds"], _numbers(arrays["cosines"], 2)
    rows, columns = cosines.shape
    if kinds.shape != (rows, 1 + columns) or kinds.dtype.kind not in "iu" or max(rows, columns) > MOST_SHOWN:
        raise ValueError(f"classes {kinds.shape} of patches with cosines {cosines.shape}")
    if kinds.size and not -1 <= kinds.min() <= kinds.max() < classes:
        raise ValueError(f"patches have classes beyond the {classes} that are named")
    found = []
    for i in range(rows):
        strip = _decoded(arrays[f"patches{i}"])
        side = strip.shape[0]
        if strip.shape[1] != (1 + columns) * side:
            raise ValueError(f"a strip {strip.shape} of {1 + columns} patches")
        patches = strip.reshape(side, 1 + columns, side, 3).transpose(1, 0, 2, 3)
        found.append(Query(patches, kinds[i].tolist(), cosines[i].tolist()))
    return found


def _pair(arrays: Mapping[str, np.ndarray], i: int, name: str) -> Pair:
    points, cell = _numbers(arrays[f"points{i}"], 2, 6), _numbers(arrays["cell"], 0)
    first, second = (_decoded(arrays[f"{which}{i}"]) for which in ("first", "second"))
    return Pair(name, first, second, points, float(cell))


def _boxed(arrays: Mapping[str, np.ndarray], i: int, name: str) -> Boxed:
    true, found, hits = _numbers(arrays[f"true{i}"], 2, 4), _numbers(arrays[f"found{i}"], 2, 4), arrays[f"hits{i}"]
    if len(found) != 2 or hits.shape != (2,) or hits.dtype != bool:
        raise ValueError(f"boxes {found.shape} with hits {hits.dtype} {hits.shape}")
    return Boxed(name, _decoded(arrays[f"picture{i}"]), true, found, hits.tolist())


def _numbers(array: np.ndarray, dimensions: int, last: int | None = None) -> np.ndarray:
    """The array, where it has few finite numbers and such a shape; else ValueError."""
    fits = array.ndim == dimensions and (last is None or array.shape[-1] == last) and array.dtype.kind == "f"
    if not fits or array.size > 6 * MOST_MARKS or not np.isfinite(array).all():
        raise ValueError(f"numbers that are {array.dtype} {array.shape}, or not finite")
    return array


def _decoded(data: np.ndarray) -> np.ndarray:
    """A small WebP picture, (h, w, 3) uint8. Raises ValueError for anything else."""
    if data.ndim != 1 or data.dtype != np.uint8:
        raise ValueError(f"a picture that is {data.dtype} {data.shape}")
    with Image.open(io.BytesIO(data.tobytes()), formats=("WEBP",)) as opened:
        if max(opened.size) > MOST_SIDE:
            raise ValueError(f"a picture of {opened.size[0]} x {opened.size[1]} px")
        return np.asarray(opened.convert("RGB"))
