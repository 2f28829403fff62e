"""Objects that stand beside each picture in a table, as data sets of the `datasets` library have them: a column
`objects` of parquet, or of metadata.jsonl beside images."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.images.labels.annotated import ONE, Annotated, Sheet
from twofold.images.labels.coco import id_of, mark_of, stamp_of
from twofold.images.labels.findings import Notes, listed
from twofold.images.labels.lists import class_list
from twofold.images.labels.stored import Stored
from twofold.images.labels.survey import Wishes
from twofold.images.reading.columns import features_of
from twofold.images.reading.metadata import FILE_COLUMNS, read_metadata
from twofold.images.reading.opening import open_source
from twofold.images.reading.parquet import Parquet
from twofold.images.reading.parquet_file import open_parquet
from twofold.images.reading.source import Source
from twofold.pixels.reading.places import Place

BOXES = ("bbox", "bboxes", "box", "boxes")
KINDS = ("category", "categories", "category_id", "category_ids", "label", "labels", "class", "classes", "class_id")
OTHERS = ("segmentation", "iscrowd", "difficult")  # of an object, called as in COCO
MOST_CLASSES = 10_000
LOOKED_AT = 1 << 20  # bytes
_Object = tuple[int, str, dict[str, Any]]  # row of the source, place for messages, an annotation as in COCO


@dataclass(frozen=True)
class Row:
    """A picture's objects as they stand in a table. row: of the source. where: for messages."""

    row: int
    where: str
    value: Any


def object_column(where: Place) -> str | None:
    """The column of a parquet file that holds objects with boxes: lists of structs, or a struct of lists. None where
    there is none. Raises UserError where it is no parquet file."""
    with open_parquet(where) as file:
        return next((field.name for field in file.schema_arrow if set(_fields(field.type)) & set(BOXES)), None)


def holds_objects(file: Path) -> bool:
    """Whether the beginning of a metadata.jsonl speaks of boxes."""
    try:
        with file.open("rb") as handle:
            start = handle.read(LOOKED_AT)
    except OSError:
        return False
    return any(f'"{key}"'.encode() in start for key in BOXES)


def _fields(kind: Any) -> list[str]:
    """The names inside a struct, or a list of structs."""
    import pyarrow.types as types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return [kind.field(k).name for k in range(kind.num_fields)] if types.is_struct(kind) else []


def open_rows(path: str, table: Place, column: str, wishes: Wishes) -> Annotated:
    """The objects in a column of parquet, row by row. table: the first of its files. Which parts are read is said."""
    source = open_source(path, image_column=wishes.image_column, part=wishes.part, class_level=0, role=wishes.role)
    assert isinstance(source, Parquet)
    rows = [Row(i, f"{source.names[i]} {column}", value) for i, value in enumerate(source.values(column))]
    with open_parquet(table) as file:
        names = _told(features_of(file.schema_arrow).get(column))
    notes = Notes()
    for line in source.notes:
        notes.say(f"{line}.")
    return _surveyed(path, source, rows, names, column, notes, wishes, [source.fingerprint(), column])


def _told(feature: Any) -> list[str] | None:
    """The class names that the `datasets` library has written of the objects, wherever it nests them."""
    if not isinstance(feature, dict):
        return None
    for kind in KINDS:
        inner = feature.get(kind)
        inner = inner.get("feature", inner) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("names"), list):
            return [str(name) for name in inner["names"]]
    return _told(feature.get("feature"))


def open_metadata(name: str, file: Path, stored: Stored, wishes: Wishes) -> Annotated:
    """The objects in a metadata.jsonl. stored: the pictures, named from its folder. Raises UserError where they have
    other names, or one is named twice."""
    columns = read_metadata(Place(str(file)))
    column = next((name for name, values in columns.items() if any(map(_has_boxes, values))), None)
    names = next((columns[one] for one in FILE_COLUMNS if one in columns), None)
    if column is None or names is None:
        lacks = "objects with a bbox" if column is None else f"names of files ({', '.join(FILE_COLUMNS)})"
        raise UserError(f"{file} has no {lacks}: add them, or give labels of another form.")
    notes = Notes()
    wanted = [posixpath.normpath(str(one)) for one in names]
    found = stored.find_all(wanted, wanted, notes)
    rows = [
        Row(row, f"{one} {column}", value)
        for row, one, value in zip(found, wanted, columns[column], strict=True)
        if row is not None
    ]
    twice = [row for row, count in Counter(row.row for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{file} names {stored.source.names[twice[0]]} more than once: leave one line for a picture.")
    stored.note_unlisted({row.row for row in rows}, notes)
    return _surveyed(name, stored.source, rows, None, column, notes, wishes, [*stamp_of(file), column])


def _has_boxes(value: Any) -> bool:
    value = value[0] if isinstance(value, list) and value else value
    return isinstance(value, dict) and any(key in value for key in BOXES)


def _surveyed(
    name: str, source: Source, rows: Sequence[Row], names: Sequence[str] | None, column: str, notes: Notes,
    wishes: Wishes, stamp: Sequence[object],
) -> Annotated:  # fmt: skip
    """The objects laid on their pictures. names: of classes by number, as far as the table tells."""
    notes.say(f"Boxes are those of column {column}.")
    objects = [one for row in rows for one in _objects(name, row)]
    classes, numbers = _classes(name, objects, names, notes, wishes)
    sheets = {row.row: Sheet(row.row) for row in rows}
    for row, where, annotation in objects:
        sheets[row].marks.append(mark_of(where, annotation, numbers, notes))
    return Annotated(name, source, list(sheets.values()), classes, notes, wishes, usual="xywh", stamp=stamp)


def _objects(name: str, row: Row) -> Iterator[_Object]:
    value = _by_object(name, row) if isinstance(row.value, dict) else row.value or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise UserError(f"{name}: {row.where} is {row.value!r:.60}: a list of objects with a bbox belongs there.")
    for k, one in enumerate(value):
        box, kind = (next((one[key] for key in keys if key in one), None) for keys in (BOXES, KINDS))
        others = {key: one[key] for key in OTHERS if key in one}
        yield row.row, f"{row.where}[{k}]", {"bbox": box, "category_id": kind, **others}


def _by_object(name: str, row: Row) -> list[dict[str, Any]]:
    """A struct of lists, {"bbox": [...], "category": [...]}, as a list of objects."""
    used = {key: row.value[key] or [] for key in (*BOXES, *KINDS, *OTHERS) if key in row.value}
    counts = {key: len(values) if isinstance(values, list) else -1 for key, values in used.items()}
    if len(set(counts.values())) > 1 or -1 in counts.values():
        have = ", ".join(f"{key} {max(count, 0):,}" for key, count in counts.items())
        raise UserError(f"{name}: {row.where} has lists of several lengths ({have}): give each object all.")
    return [dict(zip(used, values, strict=True)) for values in zip(*used.values(), strict=True)]


def _classes(
    name: str, objects: Sequence[_Object], names: Sequence[str] | None, notes: Notes, wishes: Wishes
) -> tuple[list[str], dict[Any, int]]:
    """The names of the classes, and the number of each kind that occurs."""
    kinds: dict[Any, str] = {}
    for _, where, annotation in objects:
        kinds.setdefault(id_of(annotation["category_id"]), where)
    if not set(kinds) - {None}:
        notes.say(f'No class is told: all objects are of one, "{ONE}".')
        return [ONE], {None: 0}
    if None in kinds:
        raise UserError(f"{name}: {kinds[None]} has no class, where others have one: add it, or remove the object.")
    numbered = [kind for kind in kinds if isinstance(kind, int)]
    if numbered and len(numbered) < len(kinds):
        other = next(kind for kind in kinds if not isinstance(kind, int))
        raise UserError(f"{name} has classes by number ({numbered[0]}) and by name ({other!r:.40}): use one of both.")
    given = class_list(wishes.classes, [])
    if not numbered:
        ordered = list(given.names) if given else sorted(kinds)
        lacking = [kind for kind in kinds if kind not in ordered]
        if lacking:
            where = given.where if given else name
            raise UserError(f"{name} has objects of {listed(lacking)}, which {where} lacks: add them there.")
        return ordered, {kind: ordered.index(kind) for kind in kinds}
    if min(numbered) < 0 or max(numbered) >= MOST_CLASSES:
        worst = max(numbered, key=abs)
        raise UserError(f"{name}: {kinds[worst]} has the class {worst}: classes are numbers from 0.")
    if given and given.values:
        by_number = dict(zip(given.values, given.names, strict=True))
    else:
        by_number = dict(enumerate(given.names if given else names or ()))
    if not by_number:
        notes.say("No names of classes are told: they are called by their numbers; --classes names them.")
        by_number = {k: str(k) for k in range(max(numbered) + 1)}
    beyond = [kind for kind in numbered if kind not in by_number]
    if beyond:
        where = given.where if given else "the table"
        raise UserError(
            f"{name}: {kinds[beyond[0]]} has the class {beyond[0]}, and {where} names {len(by_number)} "
            f"({listed(by_number.values(), 12)}): give names for all with --classes."
        )
    order = sorted(by_number)
    return [by_number[k] for k in order], {kind: order.index(kind) for kind in numbered}
