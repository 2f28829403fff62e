"""Dense protocols on the page: masks over pictures, matches between views, retrieved patches, boxes, IoU by class."""

from __future__ import annotations

import base64
import colorsys
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from twofold.images.report.dense_samples import FOLDER, Boxed, DenseSamples, Masked, Pair, Query, read_samples
from twofold.page.facts import is_floor_of, is_value
from twofold.page.read import Run, read_or_note
from twofold.page.sections import Section
from twofold.page.sprites import picture
from twofold.page.words import percent
from twofold.printable import spelled_out

PICTURES, SIDE, PATCH = 6, 256, 64
MOST_BARS = 40  # classes of a protocol; of more the best and the worst
BY_CLASS = ("iou", "by_class")  # where the results of probes and of trained networks have them
ROUNDED = 1e-5  # of places, which are kept in single precision
COLOURS = (
    "#4f8df7", "#e4572e", "#f2c12e", "#8e5bd0", "#2ec4b6", "#3fa34d", "#ff8ad4", "#8c6239", "#c2185b", "#b8e04a",
    "#8d99a6", "#00799e",
)  # fmt: skip
GOLDEN = 0.61803398875


@dataclass(frozen=True)
class Bar:
    """A class and its number, 0..100; ticks: those of floors."""

    name: str
    value: str
    height: float
    ticks: list[float]


@dataclass(frozen=True)
class Bars:
    """The numbers of a protocol by class, best first. floors: whose the ticks are. absent: classes without a true pixel
    or object. left_out: classes that are too many."""

    title: str
    about: str
    rows: list[Bar]
    floors: list[str]
    absent: list[str]
    left_out: int


@dataclass(frozen=True)
class Shown:
    """What the template shows of one protocol. legend: (class, colour) of those that are seen."""

    protocol: str
    about: str
    legend: list[tuple[str, str]]
    masks: list[dict[str, str]]
    queries: list[list[dict[str, Any]]]
    pairs: list[dict[str, Any]]
    boxes: list[dict[str, Any]]


@dataclass(frozen=True)
class Content:
    """Of the section: bars and pictures."""

    bars: list[Bars]
    shown: list[Shown]


def dense_section(run: Run, room: float, notes: list[str]) -> Section | None:
    """What dense protocols found, of fewer pictures where a run has the part `room` of a page; None where none was
    asked. notes: takes what could not be read."""
    files = sorted((run.path / FOLDER).glob("*.npz"))
    count = max(2, round(room * PICTURES))
    shown = []
    for file in files:
        samples = read_or_note(file, read_samples, None, notes)
        if samples is not None:
            shown.append(_shown(spelled_out(file.stem), samples, count))
    bars = class_bars(run)
    if not (bars or shown):
        return None
    return Section("dense", "Maps", "dense.html", Content(bars, shown), "Maps")


def class_bars(run: Run) -> list[Bars]:
    """For each protocol with numbers by class those of its last result by its first metric, beside its floors'."""
    found: dict[str, tuple[Any, Bars]] = {}
    for entry in run.evaluation:
        numbers, protocol = by_class(entry), str(entry.get("protocol"))
        if not numbers or entry.get("floor") or (protocol in found and found[protocol][0] != entry.get("metric")):
            continue
        floors = [floor for floor in run.evaluation if floor.get("floor") and is_floor_of(floor, entry)]
        found[protocol] = entry.get("metric"), _bars(entry, numbers, floors)
    return [bars for _, bars in found.values()]


def by_class(entry: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers of a result by class, 0..1, None where it has none; nothing where the entry is not so."""
    found: dict[Any, Any] = next((entry[name] for name in BY_CLASS if isinstance(entry.get(name), dict)), {})
    sound = all(value is None or (is_value(value) and 0 <= value <= 1) for value in found.values())
    return {spelled_out(str(name)): value for name, value in found.items()} if sound else {}


def _bars(entry: Mapping[str, Any], numbers: Mapping[str, float | None], floors: Sequence[Mapping[str, Any]]) -> Bars:
    beside = {str(floor.get("name")): own for floor in floors if (own := by_class(floor))}
    known = {name: value for name, value in numbers.items() if value is not None}
    order = sorted(known, key=lambda name: -known[name])
    left_out = max(len(order) - MOST_BARS, 0)
    if left_out:
        order = [*order[: MOST_BARS // 2], *order[-MOST_BARS // 2 :]]
    rows = []
    for name in order:
        ticks = [value for own in beside.values() if (value := own.get(name)) is not None]
        rows.append(Bar(name, percent(known[name]), 100 * known[name], [100 * tick for tick in ticks]))
    absent = [name for name, value in numbers.items() if value is None]
    metric, seed = str(entry.get("metric")), entry.get("seed")
    title = f"{entry.get('protocol')}: {'IoU' if metric.startswith('mIoU') else metric}"
    about = f"{entry.get('data') or ''}{'' if seed is None else f', seed {seed}'}"
    return Bars(title, about, rows, list(beside), absent, left_out)


def _shown(protocol: str, samples: DenseSamples, count: int) -> Shown:
    masks = samples.masks[:count]
    seen = sorted({int(kind) for one in masks for mask in (one.truth, one.answer) for kind in np.unique(mask)} - {-1})
    return Shown(
        protocol,
        samples.about,
        [(samples.classes[kind], colour(kind)) for kind in seen],
        [_mask(one) for one in masks],
        [_query(one, samples.classes) for one in samples.queries[:count]],
        [_pair(one) for one in samples.pairs[:count]],
        [_boxes(one) for one in samples.boxes[:count]],
    )


def colour(kind: int) -> str:
    """The colour of a class by its number, as CSS has it; neighbours in number are far apart."""
    if kind < len(COLOURS):
        return COLOURS[kind]
    light, strong = (0.5, 0.62, 0.4)[kind % 3], (0.85, 0.7, 0.6)[kind // 3 % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(GOLDEN * kind % 1, light, strong))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _mask(one: Masked) -> dict[str, str]:
    wrong = (one.truth >= 0) & (one.truth != one.answer)
    share = wrong.sum() / max(int((one.truth >= 0).sum()), 1)
    return {
        "name": one.name,
        "picture": picture(one.picture, SIDE),
        "truth": painted(one.truth),
        "answer": painted(one.answer),
        "right": percent(1 - float(share)),
        "ratio": f"{one.picture.shape[1]} / {one.picture.shape[0]}",
    }


def painted(mask: np.ndarray) -> str:
    """A mask in the colours of its classes, clear where it is ignored, as the address of a PNG."""
    kinds, places = np.unique(mask, return_inverse=True)
    palette = np.zeros((len(kinds), 4), np.uint8)
    for row, kind in enumerate(kinds.tolist()):
        palette[row] = (0, 0, 0, 0) if kind < 0 else (*bytes.fromhex(colour(kind)[1:]), 255)
    file = io.BytesIO()
    pixels = palette[places.reshape(mask.shape)]
    Image.fromarray(pixels, "RGBA").quantize(min(len(kinds), 255) + 1).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _query(one: Query, classes: Sequence[str]) -> list[dict[str, Any]]:
    names = [classes[kind] if kind >= 0 else "unlabelled" for kind in one.kinds]
    cosines = ["", *(f"{cosine:.2f}" for cosine in one.cosines)]
    return [
        {"picture": picture(patch, PATCH), "kind": name, "cosine": cosine, "same": kind == one.kinds[0]}
        for patch, name, kind, cosine in zip(one.patches, names, one.kinds, cosines, strict=True)
    ]


def _pair(one: Pair) -> dict[str, Any]:
    """Lines in a drawing of 100 by 100 for each view, the second 106 to the right of the first."""
    lines = []
    for x, y, found_x, found_y, true_x, true_y in one.points.tolist():
        right = math.hypot(found_x - true_x, found_y - true_y) <= one.cell + ROUNDED
        ends = {"x": x, "y": y, "found_x": 1.06 + found_x, "found_y": found_y}
        ends |= {"true_x": 1.06 + true_x, "true_y": true_y}
        lines.append({name: f"{100 * value:.1f}" for name, value in ends.items()} | {"right": right})
    lines.sort(key=lambda line: line["right"])  # right ones are drawn over wrong ones
    return {
        "name": one.name,
        "first": picture(one.first, SIDE),
        "second": picture(one.second, SIDE),
        "lines": lines,
        "right": sum(line["right"] for line in lines),
    }


def _boxes(one: Boxed) -> dict[str, Any]:
    height, width = one.picture.shape[:2]

    def placed(kind: str, box: Sequence[float], hit: bool = True) -> dict[str, Any]:
        left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in box)
        sides = {"x": left * width, "y": top * height}
        sides |= {"width": max(right - left, 0) * width, "height": max(bottom - top, 0) * height}
        return {name: f"{value:.1f}" for name, value in sides.items()} | {"kind": kind, "hit": hit}

    drawn = [placed("true", box) for box in one.true.tolist()]
    found = zip(("lost", "cut"), one.found.tolist(), one.hits, strict=True)
    return {
        "name": one.name,
        "picture": picture(one.picture, SIDE),
        "width": width,
        "height": height,
        "boxes": [*drawn, *(placed(*each) for each in found)],
        "hits": one.hits,
    }
