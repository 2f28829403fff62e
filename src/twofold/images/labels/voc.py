"""Pascal VOC's XML: one file a picture, boxes counted from 1 with both corners inside."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twofold.errors import UserError
from twofold.images.labels.annotated import Annotated, Mark, Sheet
from twofold.images.labels.boxes import are_fractions, is_dummy
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import ClassList
from twofold.images.labels.stored import Stored
from twofold.images.labels.survey import Wishes
from twofold.images.labels.tree import MOST_LABELS, read_bytes
from twofold.images.labels.turning import Size
from twofold.images.labels.xml import Node, XMLError, parse

CORNERS = ("xmin", "ymin", "xmax", "ymax")
MANY = 10  # boxes, of which most must be swapped before that means another form


def open_voc(
    name: str, root: Path, files: Sequence[str], stored: Stored, classes: ClassList | None, wishes: Wishes
) -> Annotated:
    """The labels of XML files, relative to the root. classes: their list, where there is one; else the names found,
    sorted. Raises UserError."""
    notes = Notes()
    trees = [(file, tree) for file in files if (tree := _tree(root, file, notes)) is not None]
    if not trees:
        raise UserError(f"{name}: none of its {len(files):,} XML files holds a VOC annotation: give such files.")
    found = sorted({_class_of(thing) for _, tree in trees for thing in tree.all("object")})
    names = _class_names(name, found, classes, notes)
    rows = _rows(trees, stored, notes)
    sheets: dict[int, Sheet] = {}
    for (file, tree), row in zip(trees, rows, strict=True):
        if row is None:
            continue
        if row in sheets:
            notes.add("pictures with two XML files, their labels joined", file)
        sheet = sheets.setdefault(row, Sheet(row, _size(tree, file, notes)))
        for thing in tree.all("object"):
            sheet.marks += _marks(thing, file, names, notes)
    if not sheets:
        raise UserError(
            f"{name}: no picture was found for any of {len(trees):,} XML files (such as {trees[0][0]}): give the "
            f"folder that holds them with {wishes.asks_images}."
        )
    stored.note_unlisted(set(sheets), notes)
    marks = [mark for sheet in sheets.values() for mark in sheet.marks]
    _from_one(marks, wishes, notes)
    stamp = [part for file in files for part in (file, (root / file).stat().st_size, (root / file).stat().st_mtime_ns)]
    return Annotated(name, stored.source, list(sheets.values()), names, notes, wishes, usual="xyxy", stamp=stamp)


def _tree(root: Path, file: str, notes: Notes) -> Node | None:
    try:
        tree, latin = parse(read_bytes(root / file, MOST_LABELS))
    except XMLError as error:
        raise UserError(f"{root / file}: {error}: write it again or remove it.") from error
    if latin:
        notes.add("XML files in Latin-1 that do not say so, read as such", file)
    if tree.tag != "annotation":
        notes.add("XML files of something else than VOC annotations, left out", file)
        return None
    return tree


def _class_of(thing: Node) -> str:
    return thing.value("name") or "unnamed"


def _class_names(name: str, found: list[str], classes: ClassList | None, notes: Notes) -> list[str]:
    if classes is None:
        return found
    strange = [one for one in found if one not in classes.names]
    if strange:
        known = listed(classes.names, 12)
        raise UserError(
            f"{name} has objects called {listed(strange, 6)}, which {classes.where} lacks ({known}): "
            f"add them there, or give another list with --classes."
        )
    notes.say(f"Classes are those of {classes.where}.")
    return list(classes.names)


def _rows(trees: Sequence[tuple[str, Node]], stored: Stored, notes: Notes) -> list[int | None]:
    """The picture of each file: the one of its own stem first, then the one that it names."""
    out: list[int | None] = []
    for file, tree in trees:
        stem = posixpath.splitext(file)[0]
        said = tree.value("filename") or ""
        own, named = stored.shelf.find(stem), stored.shelf.find(said) if said else []
        both = [row for row in own if row in named]
        found = both or own or named
        if len(found) > 1:
            fitting = listed(stored.source.names[row] for row in found)
            raise UserError(f"{file} may belong to {fitting}: give one picture to each file, of its name.")
        if not found:
            notes.add("XML files without a picture, left out", file)
        elif named and not both:
            notes.add("XML files that name another picture, laid on the one of their own name", f"{file}, {said}")
        out.append(found[0] if found else None)
    return out


def _size(tree: Node, file: str, notes: Notes) -> Size | None:
    for size in tree.all("size"):
        height, width = _number(size.value("height")), _number(size.value("width"))
        if height is not None and width is not None and 1 <= height <= 10**6 and 1 <= width <= 10**6:
            return round(height), round(width)
    notes.add("XML files without a size, the picture's own taken", file)
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _marks(thing: Node, file: str, names: Sequence[str], notes: Notes) -> list[Mark]:
    """The boxes of an object; those of its parts are not its own."""
    difficult = (_number(thing.value("difficult")) or 0) >= 0.5 or thing.value("difficult") in ("true", "True")
    boxes = thing.all("bndbox")
    where = f"{file}, {_class_of(thing)}"
    if len(boxes) > 1:
        notes.add("objects with several boxes, each read as an object", where)
    if not boxes:
        notes.add("objects without a box, left out", where)
    marks = []
    for box in boxes:
        numbers = [_number(box.value(corner)) for corner in CORNERS]
        if any(number is None for number in numbers):
            notes.add("boxes of something else than four numbers, left out", where)
            continue
        four = tuple(number for number in numbers if number is not None)
        marks.append(Mark(four, names.index(_class_of(thing)), where, difficult=difficult))  # type: ignore[arg-type]
    return marks


def _from_one(marks: Sequence[Mark], wishes: Wishes, notes: Notes) -> None:
    """Corners in order, counted from 0, the right and the lower one behind the last pixel.

    Boxes counted from 1 with both corners inside: left and top lose 1, right and bottom stand already behind.
    """
    if wishes.boxes not in (None, "xyxy"):
        return
    first = 0 if wishes.boxes else 1
    real = [mark for mark in marks if mark.box is not None and not is_dummy(mark.box)]
    boxes = np.array([mark.box for mark in real], np.float64).reshape(-1, 4)
    if not len(boxes) or are_fractions(boxes):
        return
    swapped = np.any(boxes[:, :2] > boxes[:, 2:], axis=1)
    if swapped.sum() >= MANY and swapped.mean() > 0.5:
        return  # another form, which is for `settle_form` to say
    for mark, box, turned in zip(real, boxes, swapped.tolist(), strict=True):
        if turned:
            notes.add("boxes with swapped corners, exchanged", mark.where)
        (left, top), (right, bottom) = np.minimum(box[:2], box[2:]).tolist(), np.maximum(box[:2], box[2:]).tolist()
        mark.box = left - first, top - first, right, bottom
    if not first:
        return
    zeros = int((boxes == 0).any(1).sum())
    notes.say("VOC's boxes count from 1: left and top are moved by one pixel; --boxes xyxy takes them as they stand.")
    if zeros:
        notes.say(f"{zeros:,} of {len(boxes):,} boxes begin at 0, so these files may count from 0: see --boxes xyxy.")
