"""From a path to a source: which kind of data lies there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twofold.errors import UserError, clause
from twofold.given import given, is_given
from twofold.images.reading.arrays import open_idx, open_npy, open_npz
from twofold.images.reading.files import no_columns, open_folder, open_list
from twofold.images.reading.foldered import Chosen, choose_shards, shards_in
from twofold.images.reading.objects import Objects
from twofold.images.reading.parquet import Parquet
from twofold.images.reading.shards import Shards
from twofold.images.reading.source import Source, is_image
from twofold.images.reading.walking import TABLES, walk
from twofold.pixels.reading.places import Place, braces, missing, place
from twofold.pixels.reading.wanted import Wanted

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
LISTS = (".txt", ".lst", ".list")
KINDS = (
    "a folder of images, a .txt list, .parquet, .tar shards, .npz, .npy or idx arrays, or an fsspec URL of one of these"
)


def open_source(
    path: str,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    part: str | None = None,
    class_level: int | None = None,
    role: str = "train",
    channels: int | None = None,
) -> Source:
    """The images at a path, not yet read.

    path: a folder (nested, flat or mixed; or one that holds parquet files or tar shards, also below it), a .txt list of
    paths, .parquet, .tar, .npz, .npy, idx (also .gz), local or as an fsspec URL (s3://, https://, memory:// ...).
    {000..009} and {a,b} stand for several shards, * and ? for any. image_column, label_column: of tables, where the
    usual names are not used. part, class_level, role, channels: see `Wanted`. What was guessed stands in the source's
    notes. Raises UserError for whatever is missing, empty or of no known kind.
    """
    path = str(path)
    if is_given(path):
        others = {"part": part, "class_level": class_level, "image_column": image_column}
        return _given(path, label_column, channels, others)
    wanted = Wanted(image_column, label_column, part, class_level, role, channels)
    try:
        return _open(path, _places(path), wanted)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{error.filename or path} may not be read (permission denied).") from error
    except Exception as error:
        if "://" not in path:
            raise
        raise UserError(f"{path} cannot be read ({type(error).__name__}: {clause(error)}).") from error


def _given(path: str, label_column: str | None, channels: int | None, others: Mapping[str, Any]) -> Objects:
    """The images that a program handed over."""
    named = [name for name, value in others.items() if value is not None]
    if named:
        raise UserError(f"{path} is data in Python, which has neither files nor folders: leave {named[0]} out.")
    return Objects(given(path), path, label_column, channels)


def _open(path: str, places: list[Place], wanted: Wanted) -> Source:
    if len(places) == 1 and _is_folder(places[0]):
        below = walk(places[0])
        chosen = shards_in(path, places[0], below, wanted)
        if not chosen.places:
            if wanted.image_column:
                raise no_columns(path, wanted.image_column)
            return open_folder(path, places[0], below, wanted)
    else:
        chosen = _of_pattern(path, places, wanted)
    places, notes, wanted = chosen.places, chosen.notes, chosen.wanted
    name = places[0].name.lower()
    if name.endswith(TABLES):
        return Parquet(path, places, wanted, notes)
    for column in (wanted.image_column, None if name.endswith(LISTS) else wanted.label_column):
        if column:
            raise no_columns(path, column)
    if name.endswith(TARS):
        return Shards(path, places, wanted, notes)
    return _open_one(path, places, name, wanted)


def tables_at(path: str, wanted: Wanted) -> list[Place]:
    """The parquet files that are read of a path: the file, those of a pattern, or those right for a folder's part."""
    places = _places(path)
    if len(places) == 1 and _is_folder(places[0]):
        return shards_in(path, places[0], walk(places[0]), wanted).places
    return _of_pattern(path, places, wanted).places


def _of_pattern(path: str, places: list[Place], wanted: Wanted) -> Chosen:
    """Those files of a pattern that are of the part; a pattern may take in what nobody meant, braces do not."""
    if (len(places) > 1 and "{" not in path) or (places[0].name.lower().endswith(TABLES) and wanted.names_part()):
        return choose_shards(path, places, [where.path.replace(os.sep, "/") for where in places], wanted)
    return Chosen(places, (), wanted)


def _open_one(path: str, places: list[Place], name: str, wanted: Wanted) -> Source:
    if len(places) > 1:
        raise UserError(f"{path} stands for {len(places)} files, which only .parquet and .tar may be.")
    where = places[0]
    if name.endswith(LISTS):
        return open_list(path, where, wanted)
    if wanted.class_level:
        raise UserError(
            f"{path} holds arrays, which lie in no folders: leave --class-level out, or give 0 for no labels."
        )
    if name.endswith(".npz"):
        return open_npz(path, where, wanted)
    if wanted.names_part():
        raise UserError(f"{path} has no parts: leave --part out.")
    if name.endswith(".npy"):
        return open_npy(path, where, wanted)
    if "idx3" in name or "idx4" in name or name.endswith((".idx", ".idx.gz")):
        return open_idx(path, where, wanted)
    if is_image(name):
        raise UserError(f"{path} is one image; give the folder it lies in.")
    raise UserError(f"{path} is of no known kind; data is {KINDS}.")


def _places(path: str) -> list[Place]:
    """The places a path stands for:

    itself if it is there, else what its braces or pattern give. UserError where any is missing.
    """
    if not path:
        raise UserError(f"The path to the data is empty; data is {KINDS}.")
    where = place(path)
    if _is_folder(where) or where.is_file():
        return [where]
    found: list[Place] = []
    for one in braces(path):
        where = place(one)
        if where.is_file():
            found.append(where)
        elif any(c in one for c in "*?") and (matches := where.glob()):
            found += matches
        else:
            raise missing(where)
    return found


def _is_folder(where: Place) -> bool:
    """Whether it is a folder. Over http asking means fetching the whole file, so there a file's name is believed."""
    if where.fs is not None and where.name.lower().endswith((*TABLES, *TARS, *LISTS, ".npz", ".npy")):
        return False
    return where.is_dir()
