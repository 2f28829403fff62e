"""Parquet files and tar shards in a folder: where they lie, also in a clone from a hub, and which parts are read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from twofold.errors import UserError
from twofold.images.reading.metadata import FILES
from twofold.images.reading.walking import TABLES, Below
from twofold.parts import SHARD
from twofold.pixels.reading.parts import find_parts, pick, said
from twofold.pixels.reading.places import MOST_IMAGE, Place
from twofold.pixels.reading.wanted import Wanted

MANIFEST = "prepared.json"  # what `prepare` leaves in its folder
LISTED = 5  # folders in a message


@dataclass(frozen=True)
class Chosen:
    """The shards that are read, none where the folder is of another kind; what was decided, a sentence each; and what
    is wanted of the inside of the shards."""

    places: list[Place]
    notes: tuple[str, ...]
    wanted: Wanted


def shards_in(path: str, folder: Place, below: Below, wanted: Wanted) -> Chosen:
    """The parquet files, else the tar shards, of a folder without images: right in it, else those in one folder below,
    such as `data` in a clone from a hub, or in a folder for each part. Raises UserError where several others hold some.
    """
    if folder.join(MANIFEST).is_file() and not _is_done(folder.join(MANIFEST)):
        raise UserError(
            f"{folder} holds an unfinished prepare; run the same prepare again: it goes on where it stopped."
        )
    found = [name for name in below.shards if name.rpartition("/")[2] not in FILES]
    if below.images or not found:
        return Chosen([], (), wanted)
    tables = [name for name in found if name.lower().endswith(TABLES)]
    names = tables or found
    chosen = choose_shards(path, [folder.join(name) for name in names], names, wanted)
    _check_one_folder(path, [where.path for where in chosen.places], folder.path, wanted)
    return chosen


def choose_shards(path: str, places: Sequence[Place], names: Sequence[str], wanted: Wanted) -> Chosen:
    """The files that are read of those with these names (slashes between folders), by the parts that their names and
    folders say. Where these say none, the inside of the files may."""
    stems = [_stem(name) for name in names]
    of = find_parts(stems)
    counts = Counter(of[stem][0] for stem in stems)
    if wanted.part == "none" or set(counts) == {""}:
        return Chosen(list(places), (), wanted)
    parts = pick(path, counts, wanted, "files")
    rows = [i for i, stem in enumerate(stems) if of[stem][0] in parts]
    note = said(path, counts, parts, wanted, "files")
    return Chosen([places[i] for i in rows], (note,) if note else (), replace(wanted, part="all"))


def _check_one_folder(path: str, paths: Sequence[str], top: str, wanted: Wanted) -> None:
    """Refuse files that lie in several folders, but for those that name parts: they may be the same images in other
    forms."""
    names = [os.path.relpath(file, top).replace(os.sep, "/") for file in paths]
    stems = [_stem(name) for name in names]
    of = find_parts([] if wanted.part == "none" else stems)
    if len({_folder(stem, of[stem][1] if stem in of else stem) for stem in stems}) > 1:
        apart = sorted({os.path.dirname(name) or "." for name in names})
        listed = ", ".join(apart[:LISTED]) + (", ..." if len(apart) > LISTED else "")
        raise UserError(
            f"{path} holds {len(names):,} files in {len(apart)} folders ({listed}): give one of these, or a pattern."
        )


def _folder(stem: str, rest: str) -> str:
    """Where a file lies, without folders that name parts. rest: its stem without what names parts."""
    kept = rest.count("/") == stem.count("/") or rest.rpartition("/")[2] == stem.rpartition("/")[2]
    return rest.rpartition("/")[0] if kept else rest


def _stem(name: str) -> str:
    """A file's name with its folders as if it were a folder, without its endings and its number."""
    folder, slash, base = name.rpartition("/")
    return folder + slash + SHARD.sub("", base.split(".")[0])


def _is_done(manifest: Place) -> bool:
    try:
        found = json.loads(manifest.read(MOST_IMAGE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and bool(found.get("done"))
