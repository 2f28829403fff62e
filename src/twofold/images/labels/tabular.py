"""Labels of parquet: a column of masks or of objects, or a COCO file beside; in one file or in the parts of a set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from twofold.errors import UserError
from twofold.images.labels.coco import open_coco
from twofold.images.labels.columns import mask_column, open_columns
from twofold.images.labels.findings import listed
from twofold.images.labels.folders import looks_like_coco
from twofold.images.labels.lists import class_list
from twofold.images.labels.rows import object_column, open_rows
from twofold.images.labels.stored import Stored, belongs
from twofold.images.labels.survey import Survey, Wishes
from twofold.images.labels.tree import Shelf
from twofold.images.reading.opening import open_source, tables_at
from twofold.images.reading.parquet_file import byte_columns
from twofold.images.reading.walking import TABLES, walk
from twofold.pixels.reading.places import place
from twofold.pixels.reading.wanted import Wanted


def is_tabular(path: str) -> bool:
    """Whether a path is of parquet: a file or pattern, or a folder that holds such files and no images but in these."""
    if path.lower().endswith(TABLES):
        return True
    if "://" in path or not os.path.isdir(path):
        return False
    below = walk(place(path))
    return not below.images and any(name.lower().endswith(TABLES) for name in below.shards)


def form_of_tables(path: str) -> str | None:
    """What labels parquet seems to have: "masks" or "objects" in a column, "coco" beside it, None for none."""
    tables = tables_at(path, Wanted())
    columns = byte_columns(tables[0])
    if mask_column(path, columns, Wishes()):
        return "masks"
    if _json_of(path, [table.path for table in tables]):
        return "coco"
    return "objects" if object_column(tables[0]) else None


def open_tables(path: str, wishes: Wishes) -> Survey:
    """The labels of parquet. path: a file, a pattern, or a folder of parts; of these train is read to learn from, and
    test or validation to test on, as of images. Raises UserError where there are no labels, or several."""
    tables = tables_at(path, Wanted(part=wishes.part, role=wishes.role))
    local = "://" not in path
    columns = byte_columns(tables[0])
    beside = _json_of(path, [table.path for table in tables]) if local else []
    column = mask_column(path, columns, wishes)
    objects = None if beside else object_column(tables[0])
    if column is not None and (wishes.want not in ("boxes", "instances") or not (beside or objects)):
        folders = list(dict.fromkeys(Path(table.path).parent for table in tables)) if local else []
        return open_columns(path, columns, column, class_list(wishes.classes, folders), wishes)
    if objects:
        return open_rows(path, tables[0], objects, wishes)
    if not beside:
        raise UserError(
            f"{path} has no column of masks or objects and no COCO file of its name beside it: name a column with "
            f"--mask-column, or give the .json file and {wishes.asks_images} {path}."
        )
    if len(beside) > 1:
        raise UserError(
            f"{path} has several COCO files beside it ({listed(p.name for p in beside)}): give one of them."
        )
    source = open_source(path, image_column=wishes.image_column, part=wishes.part, class_level=0, role=wishes.role)
    survey = open_coco(path, beside[0], wishes, Stored(source, Shelf(source.names), path, wishes.asks_images))
    for line in source.notes:
        survey.notes.say(f"{line}.")
    return survey


def _json_of(path: str, tables: Sequence[str]) -> list[Path]:
    """The COCO files beside tables that bear their name; where a folder is given and none does, all in it."""
    folders = dict.fromkeys(Path(table).parent for table in tables)
    files = [file for folder in folders for file in sorted(folder.glob("*.json")) if looks_like_coco(file)]
    named = [file for file in files if any(belongs(file.stem, Path(table).stem) for table in tables)]
    return named or (files if os.path.isdir(path) else [])
