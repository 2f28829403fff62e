"""COCO's JSON: pictures, annotations and categories by ids, with pictures in a folder or in a parquet file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twofold.errors import UserError, clause
from twofold.images.labels.annotated import Annotated, Mark, Sheet
from twofold.images.labels.boxes import BoxError, Four, corners, of_corners, read_box
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import class_list
from twofold.images.labels.stored import Stored, pictures_for
from twofold.images.labels.survey import Wishes
from twofold.images.labels.tree import read_bytes
from twofold.images.labels.turning import Size
from twofold.resources import bytes_in_words, free_memory

GROWTH = 12  # bytes of memory that a byte of JSON takes at most, measured on files of numbers
LARGEST = 2**32  # bytes of a file
MOST_SIDE = 10**6  # pixels


def load(file: Path) -> Any:
    """A JSON file. Raises UserError where it is none, or too large for the memory."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror or clause(error)}): give a file of labels.") from error
    if size > min(LARGEST, free_memory() // GROWTH):
        raise UserError(f"{file} has {bytes_in_words(size)}, too much for the free memory: split it.")
    try:
        return json.loads(read_bytes(file, LARGEST))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is no JSON ({clause(error)[:120]}): write it again.") from error


def open_coco(name: str, file: Path, wishes: Wishes, stored: Stored | None = None) -> Annotated:
    """The labels of a COCO file. name: as the user gave it. stored: its pictures, looked for where not given.

    Raises UserError naming what is of a wrong type.
    """
    value, notes = load(file), Notes()
    if not isinstance(value, dict):
        raise UserError(f"{file} holds a {type(value).__name__} at its top: COCO's form is an object with images.")
    images, annotations = _records(file, value, "images"), _records(file, value, "annotations")
    if any("segments_info" in annotation for annotation in annotations):
        raise UserError(
            f"{file} is in COCO's panoptic form, whose objects are painted in PNG files: give the instances_*.json of "
            f"the same pictures, or folders of semantic masks."
        )
    classes, numbers = _categories(file, value, annotations, wishes, notes)
    stored = stored or pictures_for(file, wishes)
    positions = _positions(file, images)
    sheets, rows = _sheets(file, images, stored, notes)
    for k, annotation in enumerate(annotations):
        where = f"{file.name}: annotations[{k}]"
        place = positions.get(id_of(annotation.get("image_id")))
        if place is None:
            notes.add("annotations of a picture that images lacks, left out", where)
        elif rows[place] is None:
            notes.add("annotations of pictures that were not found, left out", where)
        else:
            sheets[rows[place] or 0].marks.append(mark_of(where, annotation, numbers, notes))
    _note_repeated(sheets, notes)
    if not sheets:
        raise UserError(f"{file} lists no pictures: give a file whose images are filled in.")
    return Annotated(name, stored.source, sheets, classes, notes, wishes, usual="xywh", stamp=stamp_of(file))


def stamp_of(file: Path) -> tuple[object, ...]:
    """What tells a file of labels from what it was before."""
    about = file.stat()
    return file.name, about.st_size, about.st_mtime_ns


def _records(file: Path, value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects under a name."""
    if name not in value:
        raise UserError(f"{file} has no {name}: give a COCO file with images, annotations and categories.")
    found = value[name]
    if not isinstance(found, list):
        raise UserError(f"{file}: {name} is a {type(found).__name__}: COCO has a list there.")
    for k, one in enumerate(found):
        if not isinstance(one, dict):
            raise UserError(f"{file}: {name}[{k}] is a {type(one).__name__}: COCO has an object there.")
    return found


def id_of(value: Any) -> Any:
    """An id to compare: 3, 3.0 and "3" are one; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 40:
        return int(value)
    return value


def _positions(file: Path, images: Sequence[dict[str, Any]]) -> dict[Any, int]:
    """Where each image id stands; refused where two pictures have one."""
    positions: dict[Any, int] = {}
    for k, image in enumerate(images):
        key = id_of(image.get("id"))
        if key is None:
            raise UserError(f"{file}: images[{k}] has no id that is a number or text: give it one.")
        if key in positions:
            both = f"{images[positions[key]].get('file_name')} and {image.get('file_name')}"
            raise UserError(f"{file}: {both} have one id, {key}: give each its own, and its annotations too.")
        positions[key] = k
    return positions


def _categories(
    file: Path, value: dict[str, Any], annotations: Sequence[dict[str, Any]], wishes: Wishes, notes: Notes
) -> tuple[list[str], dict[Any, int]]:
    """Class names in the order of their ids, and the number of each id."""
    used = Counter(id_of(annotation.get("category_id")) for annotation in annotations)
    found = _records(file, value, "categories") if "categories" in value else None
    if found is None:
        notes.say(f"{file.name} has no categories: classes are called by their ids.")
        found = [{"id": key} for key in used if key is not None]
    names = _names(file, found)
    parents = {str(category.get("supercategory")) for category in found}
    groups = [key for key, name in names.items() if name in parents and not used[key] and len(names) > 1]
    groups = [key for key in groups if any(_child(c, names[key]) for c in found)]
    for key in groups:
        notes.say(f'The category "{names.pop(key)}" has no annotations and groups others: it is no class.')
    strange = [key for key in used if key not in names]
    if strange and annotations:
        k = next(k for k, a in enumerate(annotations) if id_of(a.get("category_id")) == strange[0])
        lacking = annotations[k].get("category_id")
        count = sum(used[key] for key in strange)
        raise UserError(
            f"{file}: annotations[{k}] has category_id {lacking!r:.40}, which categories lacks ({count:,} such "
            f"annotations; ids are {listed(names, 12)}): add the category or remove them."
        )
    if wishes.classes:
        names = _in_order(file, names, used, wishes.classes)
        ordered = list(names)
    else:
        ordered = sorted(names, key=lambda key: (isinstance(key, str), key))
    classes = list(dict.fromkeys(names[key] for key in ordered))
    if len(classes) < len(names):
        notes.say(f"{len(names)} categories have {len(classes)} names: those of one name are one class.")
    return classes, {key: classes.index(names[key]) for key in ordered}


def _names(file: Path, found: Sequence[dict[str, Any]]) -> dict[Any, str]:
    """The name of each category id; the id where it has none."""
    names: dict[Any, str] = {}
    for k, category in enumerate(found):
        key = id_of(category.get("id"))
        if key is None:
            raise UserError(f"{file}: categories[{k}] has no id that is a number or text: give it one.")
        name = category.get("name")
        name = str(name) if isinstance(name, str | int | float) and str(name).strip() else str(key)
        if names.setdefault(key, name) != name:
            raise UserError(f"{file}: {names[key]} and {name} have one category id, {key}: give each its own.")
    return names


def _in_order(file: Path, names: dict[Any, str], used: Counter[Any], wanted: str) -> dict[Any, str]:
    """The categories of a list of the user's, in its order. Raises UserError where it lacks one that occurs."""
    known = class_list(wanted, [])
    assert known is not None
    lacking = [name for key, name in names.items() if used[key] and name not in known.names]
    if lacking:
        raise UserError(f"{file} has objects of {listed(lacking)}, which {known.where} lacks: add them there.")
    place = {name: k for k, name in enumerate(known.names)}
    return {key: names[key] for key in sorted(names, key=lambda k: place.get(names[k], -1)) if names[key] in place}


def _child(category: dict[str, Any], name: str) -> bool:
    return str(category.get("supercategory")) == name and str(category.get("name")) != name


def _sheets(
    file: Path, images: Sequence[dict[str, Any]], stored: Stored, notes: Notes
) -> tuple[list[Sheet], list[int | None]]:
    """A sheet for each picture that is there, and for each entry of images its sheet."""
    wanted = []
    for k, image in enumerate(images):
        name = image.get("file_name", image.get("path", image.get("coco_url")))
        if not isinstance(name, str) or not name:
            raise UserError(f"{file}: images[{k}] has no file_name: give it one.")
        wanted.append(name)
    found = stored.find_all(wanted, [id_of(image.get("id")) for image in images], notes)
    sheets: list[Sheet] = []
    by_row: dict[int, int] = {}
    places: list[int | None] = []
    for k, (image, row) in enumerate(zip(images, found, strict=True)):
        if row is not None and row in by_row:
            notes.add("pictures listed twice, their labels joined", wanted[k])
        elif row is not None:
            by_row[row] = len(sheets)
            sheets.append(Sheet(row, _size(f"{file.name}: images[{k}]", image, notes)))
        places.append(None if row is None else by_row[row])
    stored.note_unlisted(set(by_row), notes)
    return sheets, places


def _size(where: str, image: dict[str, Any], notes: Notes) -> Size | None:
    """(height, width) that the file says, None where it says none that can be."""
    sides = [image.get("height"), image.get("width")]
    if sides == [None, None]:
        return None
    try:
        height, width = (float(side) for side in sides)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        height = width = 0.0
    if 1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE:
        return round(height), round(width)
    notes.add("sizes in the labels that cannot be, the pictures' own taken", where)
    return None


def mark_of(where: str, annotation: dict[str, Any], numbers: dict[Any, int], notes: Notes) -> Mark:
    """The object of an annotation. numbers: the class of each category id."""
    box = None
    value = annotation.get("bbox")
    segmentation = annotation.get("segmentation")
    if value is not None and value != []:
        try:
            box, form = read_box(value)
        except BoxError as error:
            notes.add(f"{error}, not used", where)
        else:
            box = of_corners(_four(box, form), "xywh") if form else box
            if form:
                notes.add("boxes with named numbers, read by their names", where)
            elif not isinstance(value, list) or any(isinstance(v, str) for v in value):
                notes.add("boxes written as text, read as numbers", where)
    crowd, difficult = (_truth(annotation.get(key)) for key in ("iscrowd", "difficult"))
    difficult = difficult or _truth(annotation.get("ignore"))
    number = numbers[id_of(annotation.get("category_id"))]
    return Mark(box, number, where, crowd, difficult, segmentation)


def _four(box: Four, form: str) -> Four:
    return tuple(corners(np.array([box]), form)[0].tolist())


def _truth(value: Any) -> bool:
    return value in (1, True, "1", "true", "True")


def _note_repeated(sheets: Sequence[Sheet], notes: Notes) -> None:
    for sheet in sheets:
        seen = set()
        for mark in sheet.marks:
            key = (mark.box, mark.number)
            if mark.box is not None and key in seen:
                notes.add("objects with the class and box of another in their picture, both kept", mark.where)
            seen.add(key)
