"""What a run's pretext task asked at its end, and what it was told: tracks of patches, fields of motion, confusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twofold.page.gallery import checked_pictures
from twofold.page.read import read_arrays
from twofold.page.sections import Section
from twofold.page.sprites import moving_picture, picture

_ROWS, _SIDE, MOST_CELLS = 6, 150, 64
_TASKS = {  # of CSTP: what is asked, and its answers
    "space": ("overlap in space", ("100 %", "80 %", "60 %", "40 %", "20 %")),
    "time": ("overlap in time", ("100 %", "80 %", "60 %", "40 %", "20 %")),
    "pace": ("pace", ("1", "2", "4", "8")),
    "turn": ("turn", ("0", "90", "180", "270")),
}
_TOLD = ((255, 200, 0), (0, 200, 255), (255, 80, 160), (120, 230, 90))


class Pair(NamedTuple):
    """What is true and what was told, arrays of one shape."""

    true: np.ndarray
    told: np.ndarray


@dataclass(frozen=True)
class Answers:
    """Of n videos. shown: uint8 (n, T, S, S, 3). boxes: (n, P, T, 4), shares of the side, or None. motion: (n, 2, h, w)
    pixels, or None. told: by task, int64 (N, 2), right and given answers."""

    shown: np.ndarray
    boxes: Pair | None
    motion: Pair | None
    told: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Arrow:
    """From a middle of a cell to where it moves, in shares of a field's side; `still` where it does not."""

    x: float
    y: float
    to_x: float
    to_y: float
    still: bool


@dataclass(frozen=True)
class Field:
    """Arrows of the true motion and of the motion told, over the last picture of a clip."""

    picture: str
    true: list[Arrow]
    told: list[Arrow]


@dataclass(frozen=True)
class Confusion:
    """A task's answers. rows: for each right answer the share of each given one, in per cent, and how many there were.
    right, majority: shares in per cent."""

    task: str
    classes: tuple[str, ...]
    rows: list[tuple[str, list[int], int]]
    right: str
    majority: str
    count: int


def read_answers(file: Path) -> Answers:
    """A pretext.npz. Raises ValueError or KeyError where its arrays do not fit together; nothing is unpickled."""
    arrays = read_arrays(file)
    shown = checked_pictures(arrays["shown"], 5, "shown")
    told = {}
    for task, (_, classes) in _TASKS.items():
        if f"cstp_{task}" in arrays:
            told[task] = _answers(arrays[f"cstp_{task}"], len(classes))
    boxes, motion = _pair(arrays, "ctp", len(shown)), _pair(arrays, "cmd", len(shown))
    if boxes and boxes.true.shape[2:] != (shown.shape[1], 4):
        raise ValueError(f"boxes of shape {boxes.true.shape} for clips of {shown.shape[1]} frames")
    if motion and (motion.true.shape[1] != 2 or max(motion.true.shape[2:]) > MOST_CELLS):
        raise ValueError(f"fields of shape {motion.true.shape}")
    return Answers(shown, boxes, motion, told)


def _answers(array: np.ndarray, classes: int) -> np.ndarray:
    pairs = array.reshape(-1, 2)
    if array.dtype != np.int64 or not len(pairs) or pairs.min() < 0 or pairs.max() >= classes:
        raise ValueError(f"answers of {array.dtype} {array.shape} to a task of {classes}")
    return pairs


def _pair(arrays: Mapping[str, np.ndarray], method: str, count: int) -> Pair | None:
    """The first `count` rows of what is true and what was told, finite numbers (n, ., ., .), or None without them."""
    if f"{method}_true" not in arrays:
        return None
    pair = Pair(arrays[f"{method}_true"][:count], arrays[f"{method}_told"][:count])
    for found in pair:
        if found.ndim != 4 or found.dtype.kind != "f" or len(found) != count or not np.isfinite(found).all():
            raise ValueError(f"{method} has {found.dtype} {found.shape}")
    if pair.true.shape != pair.told.shape:
        raise ValueError("what is true and what was told are of unlike shapes")
    return pair


def answers_sections(answers: Answers | None, room: float) -> list[Section]:
    """The sections of a task's answers; of fewer videos where a run has only the part `room` of a page of its own."""
    if answers is None:
        return []
    count, sections = max(2, round(room * _ROWS)), []
    if answers.boxes:
        films = [_drawn(*film) for film in zip(answers.shown[:count], *answers.boxes, strict=False)]
        tracks = [moving_picture(film, _SIDE) for film in films]
        sections.append(Section("tracks", "Patches that were followed", "tracks.html", tracks, "Tracks"))
    if answers.motion:
        own = zip(answers.shown[:count], *answers.motion, strict=False)
        fields = [Field(picture(film[-1], _SIDE), _arrows(true), _arrows(told)) for film, true, told in own]
        sections.append(Section("motion", "Motion that was foretold", "motion.html", fields, "Motion"))
    if answers.told:
        tables = [confusion(task, pairs) for task, pairs in answers.told.items()]
        sections.append(Section("answers", "Answers of the tasks", "answers.html", tables, "Tasks"))
    return sections


def confusion(task: str, pairs: np.ndarray) -> Confusion:
    """The table of right and given answers (N, 2)."""
    name, classes = _TASKS[task]
    table = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    of = table.sum(1)
    shares = np.rint(100 * table / np.maximum(of, 1)[:, None]).astype(int)
    rows = [(label, own.tolist(), int(many)) for label, own, many in zip(classes, shares, of, strict=True)]
    right, majority = 100 * np.trace(table) / len(pairs), 100 * of.max() / len(pairs)
    return Confusion(name, classes, rows, f"{right:.0f}", f"{majority:.0f}", len(pairs))


def _drawn(film: np.ndarray, true: np.ndarray, told: np.ndarray) -> np.ndarray:
    """A film (T, S, S, 3) with the boxes told in colours and the true ones thin and white over them, both (P, T, 4)."""
    out = film.repeat(2, 1).repeat(2, 2)
    side = out.shape[1]
    for patch in range(len(true)):
        for boxes, colour, wide in ((told[patch], _TOLD[patch % len(_TOLD)], 3), (true[patch], (255, 255, 255), 1)):
            for frame, box in zip(out, np.rint(boxes * side).clip(-1e6, 1e6).astype(int), strict=True):
                _frame(frame, box, colour, wide)
    return out


def _frame(shown: np.ndarray, box: np.ndarray, colour: tuple[int, int, int], wide: int) -> None:
    """The outline of a box, so many pixels wide, as far as it lies in the picture."""
    left, top, right, bottom = box.tolist()
    for x0, y0, x1, y1 in (
        (left, top, right, top + wide),
        (left, bottom - wide, right, bottom),
        (left, top, left + wide, bottom),
        (right - wide, top, right, bottom),
    ):
        x0, x1, y0, y1 = (min(max(value, 0), len(shown)) for value in (x0, x1, y0, y1))
        shown[y0:y1, x0:x1] = colour


def _arrows(motion: np.ndarray) -> list[Arrow]:
    """The arrows of a field (2, h, w) of pixels; 10 pixels are as long as a cell."""
    rows, columns = motion.shape[1:]
    arrows = []
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) / columns, (row + 0.5) / rows
            dx, dy = (float(value) / 10 for value in motion[:, row, column])
            arrows.append(Arrow(x, y, x + dx / columns, y + dy / rows, abs(dx) + abs(dy) < 0.02))
    return arrows
