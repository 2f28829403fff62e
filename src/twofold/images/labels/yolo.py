"""YOLO's text files: a line an object, class and four fractions, or class and the corners of a polygon."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import UserError
from twofold.images.labels.annotated import Annotated, Mark, Sheet
from twofold.images.labels.boxes import FRACTION, of_corners
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList
from twofold.images.labels.stored import Stored
from twofold.images.labels.survey import Wishes
from twofold.images.labels.tree import read_text
from twofold.images.reading.pairing import IMAGE_FOLDERS, TEXT_FOLDERS, match, refuse_shared

NO_LABELS = frozenset({
    "classes.txt", "labels.txt", "obj.names", "predefined_classes.txt", "labelmap.txt", "label_map.txt", "train.txt",
    "val.txt", "trainval.txt", "test.txt", "valid.txt", "notes.txt", "label_colors.txt",
    "requirements.txt", "license.txt",
})  # fmt: skip


@dataclass(frozen=True)
class Line:
    """An object of a text file: the class as written, its numbers (four of a box, or six and more of a polygon)."""

    name: str
    numbers: tuple[float, ...]
    where: str


def label_files(names: Sequence[str]) -> list[str]:
    """The text files that may hold labels."""
    texts = [name for name in names if name.lower().endswith(".txt")]
    bases = [(name, posixpath.basename(name).lower()) for name in texts]
    return [name for name, base in bases if base not in NO_LABELS and not base.startswith("readme")]


def open_yolo(
    name: str, root: Path, files: Sequence[str], stored: Stored, classes: ClassList | None, keypoints: bool,
    wishes: Wishes,
) -> Annotated:  # fmt: skip
    """The labels of text files, relative to the root. keypoints: points follow the box in a line. Raises UserError."""
    notes, pictures = Notes(), stored.source.names
    found = match(pictures, files, IMAGE_FOLDERS | TEXT_FOLDERS)
    refuse_shared(name, pictures, files, found)
    labelled = sum(bool(one) for one in found)
    if not labelled:
        raise UserError(
            f"{name}: 0 of {len(pictures):,} pictures have labels (pictures such as {pictures[0]}, "
            f"{f'text files such as {files[0]}' if files else 'no text files of labels'}): put a text file of its name "
            f"beside each picture, or in a folder labels parallel to images."
        )
    per_picture = [_lines(root, [files[k] for k in one], keypoints, notes) for one in found]
    form = wishes.boxes or "cxcywh"
    names = _names(name, [line for lines in per_picture for line in lines], classes, notes)
    sheets = [Sheet(row, None, [_mark(line, names, form) for line in lines]) for row, lines in enumerate(per_picture)]
    if labelled < len(pictures):
        first = next(pictures[i] for i, one in enumerate(found) if not one)
        notes.add("pictures without a text file, read as without objects", first, len(pictures) - labelled)
    used = {k for one in found for k in one}
    rest = [file for k, file in enumerate(files) if k not in used]
    if rest:
        notes.add("text files without a picture, left out", rest[0], len(rest))
    if not wishes.boxes:
        _refuse_pixels(name, sheets)
    stamp = [part for file in files for part in (file, (root / file).stat().st_size, (root / file).stat().st_mtime_ns)]
    return Annotated(name, stored.source, sheets, names, notes, wishes, usual="cxcywh", stamp=stamp)


def _lines(root: Path, files: Sequence[str], keypoints: bool, notes: Notes) -> list[Line]:
    if len(files) > 1:
        notes.add("pictures with two text files, both read", listed(files))
    lines: list[Line] = []
    for file in files:
        text, _ = read_text(root / file)
        for number, row in enumerate(text.splitlines(), 1):
            where = f"{root / file} line {number}"
            line = _line(row, where, keypoints, notes)
            if line is None:
                continue
            if any(line.name == other.name and line.numbers == other.numbers for other in lines):
                notes.add("lines that stand twice, read once", where)
                continue
            lines.append(line)
    return lines


def _line(row: str, where: str, keypoints: bool, notes: Notes) -> Line | None:
    words = row.split("#", 1)[0].replace(",", " ").split()
    if not words:
        return None
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        numbers = [math.nan]
    if len(numbers) < 4 or not all(map(math.isfinite, numbers)):
        raise UserError(f"{where} is {row.strip()!r:.80}: a line is a class and four numbers, or more of a polygon.")
    if len(numbers) == 5 or keypoints:
        kind = "confidences" if len(numbers) == 5 else "keypoints"
        if len(numbers) > 4:
            notes.add(f"lines with {kind} behind the box, which are not read", where)
        numbers = numbers[:4]
    elif len(numbers) > 4 and len(numbers) % 2:
        raise UserError(
            f"{where} has {len(numbers)} numbers behind its class: a box has four, a polygon an even number of at "
            f"least six."
        )
    return Line(words[0], tuple(numbers), where)


def _names(name: str, lines: Sequence[Line], classes: ClassList | None, notes: Notes) -> list[str]:
    """Class names by number; those of a list, or the numbers themselves up to the largest."""
    if classes is not None:
        names = _by_number(classes)
        for line in lines:
            number = _number(line.name)
            if (number is None and line.name not in names) or (number is not None and not 0 <= number < len(names)):
                raise UserError(
                    f"{line.where} has the class {line.name:.40}, and {classes.where} names {len(names)} "
                    f"(0 to {len(names) - 1}: {listed(names, 12)}): mend the line or the names."
                )
        return names
    numbers = [_number(line.name) for line in lines]
    if any(number is None for number in numbers):
        return sorted({line.name for line in lines})
    largest = max((number for number in numbers if number is not None), default=0)
    if not 0 <= largest < 10_000 or min((n for n in numbers if n is not None), default=0) < 0:
        worst = next(line for line in lines if not 0 <= (_number(line.name) or 0) < 10_000)
        raise UserError(f"{worst.where} has the class {worst.name:.40}: classes are numbers from 0.")
    notes.say(f"{name} has no data.yaml and no classes.txt: classes are called by their numbers.")
    return [str(k) for k in range(largest + 1)]


def _by_number(classes: ClassList) -> list[str]:
    if classes.values is None:
        return list(classes.names)
    names = dict(zip(classes.values, classes.names, strict=True))
    if min(names) < 0 or max(names) >= 10_000:
        raise UserError(f"{classes.where} numbers a class {max(names, key=abs)}: classes are numbers from 0.")
    return [names.get(k, str(k)) for k in range(max(names) + 1)]


def _number(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value.is_integer() else None


def _mark(line: Line, names: Sequence[str], form: str) -> Mark:
    number = _number(line.name)
    place = names.index(line.name) if number is None else number
    if len(line.numbers) == 4:
        return Mark(line.numbers, place, line.where)
    x, y = line.numbers[0::2], line.numbers[1::2]
    corners = min(x), min(y), max(x), max(y)
    return Mark(of_corners(corners, form), place, line.where, segmentation=[list(line.numbers)])


def _refuse_pixels(name: str, sheets: Sequence[Sheet]) -> None:
    marks = [mark for sheet in sheets for mark in sheet.marks if mark.box is not None]
    large = [mark for mark in marks if mark.box is not None and max(mark.box) > FRACTION]
    if large:
        raise UserError(
            f"{name}: {len(large):,} of {len(marks):,} boxes have numbers above {FRACTION} (such as {large[0].where}), "
            f"so they look like pixels where YOLO has fractions: give --boxes xyxy, xywh or cxcywh to read them so."
        )
