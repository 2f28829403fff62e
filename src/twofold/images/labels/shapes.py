"""Segmentations in any form that COCO files have -> one mask: polygons, runs as a list or as a string, nested or not.

A pixel belongs to a polygon where its centre lies inside, by the even-odd rule in each polygon; of several polygons all
count. Runs go down the columns, zeros first, as COCO defines them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.images.reading.bounded import CHUNK

Floats = NDArray[np.float64]
MOST_PIXELS = 179 * 10**6  # of a picture that is read at all
MOST_DEPTH = 4  # of lists in lists
LONGEST_NUMBER = 12  # characters of a run's length in a string


class ShapeError(Exception):
    """Why a segmentation is none, as a clause."""


@dataclass(frozen=True)
class Polygons:
    """Outlines, float64 (n, 2) each, x and y in pixels."""

    rings: tuple[Floats, ...]

    def bounds(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom."""
        points = np.concatenate(self.rings)
        return (*points.min(0).tolist(), *points.max(0).tolist())


@dataclass(frozen=True)
class Runs:
    """Lengths of runs of 0, 1, 0 ... down the columns of a mask of so many rows and columns."""

    lengths: NDArray[np.int64]
    height: int
    width: int

    def bounds(self) -> tuple[float, float, float, float] | None:
        """left, top, right, bottom of the ones; None where there are none."""
        ends = np.cumsum(self.lengths)
        begins, ends = ends[0::2][: len(ends) // 2], ends[1::2]
        begins, ends = begins[ends > begins], ends[ends > begins] - 1  # of runs of ones, both within
        if not len(ends):
            return None
        one_column = begins // self.height == ends // self.height
        top = np.where(one_column, begins % self.height, 0).min()
        bottom = np.where(one_column, ends % self.height, self.height - 1).max() + 1
        return float(begins[0] // self.height), float(top), float(ends[-1] // self.height + 1), float(bottom)


Shape = Polygons | Runs | tuple["Shape", ...]


def read_shape(value: Any, height: int, width: int) -> Shape:
    """A segmentation of any form, checked. height, width: of the picture, for runs that do not tell.

    Raises ShapeError with the reason.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ShapeError("text that is no segmentation") from error
    if isinstance(value, dict):
        return _read_runs(value, height, width)
    if not isinstance(value, list):
        raise ShapeError(f"a {type(value).__name__} for a segmentation")
    if not value:
        raise ShapeError("empty segmentation")
    if any(isinstance(part, dict) and "counts" in part for part in value):
        return tuple(read_shape(part, height, width) for part in value)
    rings = tuple(ring for ring in _rings(value, 0) if len(ring) >= 3)
    if not rings:
        raise ShapeError("polygon of fewer than three points")
    return Polygons(rings)


def _rings(value: Any, depth: int) -> list[Floats]:
    """All outlines in lists of numbers, of points, or of such lists."""
    if depth > MOST_DEPTH or not isinstance(value, list | tuple):
        raise ShapeError("lists nested too deep" if depth > MOST_DEPTH else f"a {type(value).__name__} in a polygon")
    if value and all(isinstance(v, dict) for v in value):
        value = [[v.get("x"), v.get("y")] for v in value]
    if value and not isinstance(value[0], list | tuple):
        return [_points(value)]
    if len(value) > 2 and all(isinstance(v, list | tuple) and len(v) == 2 and _is_number(v[0]) for v in value):
        return [_points([number for point in value for number in point])]
    return [ring for part in value for ring in _rings(part, depth + 1)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _points(values: Sequence[Any]) -> Floats:
    try:
        flat = np.array([float(v) for v in values], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ShapeError("polygon of something else than numbers") from error
    if len(flat) % 2:
        raise ShapeError("polygon of an odd number of coordinates")
    if not np.isfinite(flat).all():
        raise ShapeError("polygon with coordinates that are not finite")
    return flat.reshape(-1, 2)


def _read_runs(value: dict[str, Any], height: int, width: int) -> Runs:
    size = value.get("size", [height, width])
    if not (isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(s, int | float) for s in size)):
        raise ShapeError("runs whose size is no pair of numbers")
    if not all(math.isfinite(s) and 0 < s <= MOST_PIXELS and s == int(s) for s in size):
        raise ShapeError("runs of an impossible size")
    height, width = int(size[0]), int(size[1])
    counts = value.get("counts")
    if isinstance(counts, str | bytes):
        lengths = decode_runs(counts.encode("latin-1", "replace") if isinstance(counts, str) else counts)
    elif isinstance(counts, list):
        try:
            lengths = np.array([int(c) for c in counts], np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ShapeError("runs of something else than numbers") from error
    else:
        raise ShapeError("runs without counts")
    if len(lengths) > CHUNK or (lengths < 0).any() or (lengths > MOST_PIXELS).any():
        raise ShapeError("runs of impossible lengths")
    if height * width > MOST_PIXELS or lengths.sum() != height * width:
        raise ShapeError("runs that do not fill their picture")
    return Runs(lengths, height, width)


def decode_runs(text: bytes) -> NDArray[np.int64]:
    """Run lengths out of COCO's compressed string. Raises ShapeError.

    Each number is written in groups of five bits, the lowest first, as the characters 48 + bits, + 32 where another
    group follows; the last group's highest bit is the sign. From the fourth on a number is the difference from the
    number two before.
    """
    if not text:
        return np.zeros(0, np.int64)
    groups = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if groups.min() < 0 or groups.max() > 63:
        raise ShapeError("runs in a string of other characters")
    last = groups < 32
    if not last[-1]:
        raise ShapeError("runs in a string that is cut short")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if widths.max() > LONGEST_NUMBER:
        raise ShapeError("runs of impossible lengths")
    places = np.arange(len(groups)) - np.repeat(starts, widths)
    numbers = np.add.reduceat((groups & 31) << (5 * places), starts)
    numbers -= np.where(groups[ends] & 16, np.int64(1) << (5 * widths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def bounds_of(shape: Shape) -> tuple[float, float, float, float] | None:
    """left, top, right, bottom of a shape in its own pixels; None where it covers nothing."""
    if not isinstance(shape, tuple):
        return shape.bounds()
    boxes = [box for box in map(bounds_of, shape) if box]
    if not boxes:
        return None
    array = np.array(boxes)
    return (*array[:, :2].min(0).tolist(), *array[:, 2:].max(0).tolist())


def mask_of(shape: Shape, size: tuple[int, int], scale: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.bool_]:
    """bool (height, width), the shape on a picture of this (height, width).

    scale: (x, y), what coordinates of polygons are multiplied with; runs are brought from their own size to this one by
    the nearest pixel.
    """
    if isinstance(shape, Polygons):
        return fill(tuple(ring * np.array(scale) for ring in shape.rings), *size)
    if isinstance(shape, Runs):
        return _spread(shape, *size)
    out = np.zeros(size, np.bool_)
    for part in shape:
        out |= mask_of(part, size, scale)
    return out


def _spread(runs: Runs, height: int, width: int) -> NDArray[np.bool_]:
    ones = np.arange(len(runs.lengths)) % 2 == 1
    mask = np.repeat(ones, runs.lengths).reshape(runs.width, runs.height).T
    if mask.shape == (height, width):
        return np.ascontiguousarray(mask)
    rows = ((np.arange(height) + 0.5) * runs.height / height).astype(int)
    columns = ((np.arange(width) + 0.5) * runs.width / width).astype(int)
    return mask[rows][:, columns]


def fill(rings: Sequence[Floats], height: int, width: int) -> NDArray[np.bool_]:
    """bool (height, width): the pixels whose centres lie inside any of the outlines."""
    out = np.zeros((height, width), np.bool_)
    for ring in rings:
        out |= _fill_one(ring, height, width)
    return out


def _fill_one(ring: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """By crossings: each edge flips all pixels to its right in the rows whose centre line it crosses."""
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    upwards = y0 > y1
    x0, x1 = np.where(upwards, x1, x0), np.where(upwards, x0, x1)
    y0, y1 = np.where(upwards, y1, y0), np.where(upwards, y0, y1)
    first = np.clip(np.ceil(y0 - 0.5), 0, height).astype(np.int64)
    behind = np.clip(np.ceil(y1 - 0.5), 0, height).astype(np.int64)
    counts = behind - first
    edge = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    along = (row + 0.5 - y0[edge]) / (y1 - y0)[edge]
    column = np.clip(np.ceil(x0[edge] + along * (x1 - x0)[edge] - 0.5), 0, width).astype(np.int64)
    flips = np.bincount(row * (width + 1) + column, minlength=height * (width + 1)).reshape(height, width + 1)
    return (np.cumsum(flips, axis=1)[:, :width] & 1).astype(np.bool_)
