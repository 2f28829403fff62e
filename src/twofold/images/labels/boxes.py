"""Four numbers of a box in any of their forms: which form a file uses, as far as its numbers can tell."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.errors import UserError

FORMS = ("xywh", "xyxy", "cxcywh")
WORDS = {
    "xywh": "left, top, width, height",
    "xyxy": "left, top, right, bottom",
    "cxcywh": "centre x, centre y, width, height",
}
KEYS = {
    "xywh": (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height")),
    "xyxy": (
        ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("x_min", "y_min", "x_max", "y_max"),
        ("left", "top", "right", "bottom"), ("x0", "y0", "x1", "y1"),
    ),
    "cxcywh": (("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"), ("x_center", "y_center", "width", "height")),
}  # fmt: skip
FRACTION = 1.5  # no number of a file above this: its boxes are fractions of the picture
BEYOND = 1.5  # pixels
FEW = 0.05  # of the boxes may leave their picture, as labels of borders do
SEVERAL = 3  # boxes
MOST, MANY = 0.5, 10  # share of the boxes, and boxes, from which on they cannot be meant for these pictures

Boxes = NDArray[np.float64]  # (n, 4)
Four = tuple[float, float, float, float]


class BoxError(Exception):
    """Why something is no box, as a clause."""


def read_box(value: Any) -> tuple[Four, str]:
    """Four finite numbers, and the form that the keys of a dict tell, else "". Raises BoxError."""
    if isinstance(value, str):
        try:
            value = json.loads(value if value.strip()[:1] in "[{" else f"[{','.join(value.replace(',', ' ').split())}]")
        except (ValueError, RecursionError) as error:
            raise BoxError("text that is no box") from error
    form = ""
    if isinstance(value, dict):
        found = [(name, keys) for name in FORMS for keys in KEYS[name] if all(key in value for key in keys)]
        if not found:
            raise BoxError(f"box with other names ({', '.join(map(str, value))[:60]})")
        form, keys = found[0]
        value = [value[key] for key in keys]
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise BoxError("box of other than four numbers")
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BoxError("box of something else than numbers") from error
    if not all(map(math.isfinite, numbers)):
        raise BoxError("box with numbers that are not finite")
    return numbers, form  # type: ignore[return-value]


def is_dummy(box: Four) -> bool:
    """Whether it is how some tools write "no object": all 0 or all -1."""
    return box in ((0.0,) * 4, (-1.0,) * 4)


def corners(boxes: Boxes, form: str) -> Boxes:
    """(n, 4) of a form -> left, top, right, bottom."""
    a, b, c, d = boxes.T
    if form == "xywh":
        return np.stack([a, b, a + c, b + d], 1)
    if form == "cxcywh":
        return np.stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2], 1)
    return boxes


def of_corners(box: Four, form: str) -> Four:
    """left, top, right, bottom -> a form."""
    left, top, right, bottom = box
    if form == "xywh":
        return left, top, right - left, bottom - top
    if form == "cxcywh":
        return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    return box


def are_fractions(boxes: Boxes) -> bool:
    """Whether all numbers can be shares of the picture's sides."""
    return bool(len(boxes) and boxes.max() <= FRACTION and boxes.min() > -0.5 and (boxes != np.round(boxes)).any())


def outside(boxes: Boxes, sizes: Boxes, form: str) -> NDArray[np.bool_]:
    """bool (n,): boxes that leave their picture, or have no side of this form. sizes: (n, 2), height and width."""
    left, top, right, bottom = corners(boxes, form).T
    height, width = sizes.T
    out = (left < -BEYOND) | (top < -BEYOND) | (right > width + BEYOND) | (bottom > height + BEYOND)
    return out | (right < left) | (bottom < top)


def settle_form(name: str, boxes: Boxes, sizes: Boxes, usual: str, given: str | None) -> tuple[str, bool]:
    """The form of a file's boxes and whether they are fractions of the picture.

    boxes: (n, 4) without dummies, as they stand in the file. sizes: (n, 2), height and width that they were made for.
    given: what the user says, which is believed. Raises UserError, naming the likely form, where the numbers speak
    against the usual one: nothing is guessed.
    """
    if given is not None and given not in FORMS:
        raise UserError(f"{given} is no form of boxes: give --boxes {', '.join(FORMS[:-1])} or {FORMS[-1]}.")
    fractions = are_fractions(boxes)
    if given or not len(boxes):
        return given or usual, fractions
    if fractions:
        ones = np.ones_like(sizes)
        likely = [form for form in FORMS if not outside(boxes, ones + 1e-3 - BEYOND, form).any()] or ["cxcywh"]
        raise UserError(
            f"{name}: the numbers of all {len(boxes):,} boxes are at most {boxes.max():.3g}, so they look like "
            f"fractions of the picture: give --boxes {likely[0]} ({WORDS[likely[0]]}) or another form to read them so."
        )
    leaves = {form: outside(boxes, sizes, form) for form in FORMS}
    share = leaves[usual].mean()
    fitting = [form for form in ("xyxy", "xywh", "cxcywh") if form != usual and not leaves[form].any()]
    if fitting == ["cxcywh"] and leaves[usual].sum() < SEVERAL:
        fitting = []  # which any box is that lies a little over the edge
    if share > FEW and fitting:
        raise UserError(
            f"{name}: {share:.0%} of {len(boxes):,} boxes leave their picture read as {WORDS[usual]}, but none as "
            f"{WORDS[fitting[0]]}: give --boxes {fitting[0]}, or --boxes {usual} to clip them."
        )
    if share > MOST and len(boxes) >= MANY:
        raise UserError(
            f"{name}: {share:.0%} of {len(boxes):,} boxes leave their picture read as {WORDS[usual]}, and some in "
            f"every other form: give the pictures that were labelled, or --boxes {usual} to clip them."
        )
    return usual, False
