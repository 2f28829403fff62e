"""Parquet files and tar shards in a folder: where they lie, also in a clone from a hub, and which parts are read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from twofold.errors import UserError
from twofold.images.reading.metadata import FILES
from twofold.images.reading.parts import find_parts, pick, said
from twofold.images.reading.places import MOST_IMAGE, Place
from twofold.images.reading.walking import TABLES, Below
from twofold.images.reading.wanted import Wanted
from twofold.parts import SHARD

MANIFEST = "prepared.json"  # what `prepare` leaves in its folder
LISTED = 5  # folders in a message


@dataclass(frozen=True)
class Chosen:
    """The shards that are read, none where the folder is of another kind, and what was decided, a sentence each."""

    places: list[Place]
    notes: tuple[str, ...] = ()


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
        return Chosen([])
    tables = [name for name in found if name.lower().endswith(TABLES)]
    return choose_shards(path, [folder.join(name) for name in tables or found], tables or found, wanted)


def choose_shards(path: str, places: Sequence[Place], names: Sequence[str], wanted: Wanted) -> Chosen:
    """The files that are read of those with these names (slashes between folders), by the parts that their names and
    folders say."""
    stems = [_stem(name) for name in names]
    if wanted.part == "none":
        _check_one_folder(path, names, {_folder(stem, stem) for stem in stems})
        return Chosen(list(places))
    of = find_parts(stems)
    counts = Counter(of[stem][0] for stem in stems)
    parts = pick(path, counts, wanted, "files")
    rows = [i for i, stem in enumerate(stems) if of[stem][0] in parts]
    note = said(path, counts, parts, wanted, "files")
    kept = [names[i] for i in rows]
    _check_one_folder(path, kept, {_folder(stems[i], of[stems[i]][1]) for i in rows})
    return Chosen([places[i] for i in rows], (note,) if note else ())


def _folder(stem: str, rest: str) -> str:
    """Where a file lies, without folders that name parts. rest: its stem without what names parts."""
    kept = rest.count("/") == stem.count("/") or rest.rpartition("/")[2] == stem.rpartition("/")[2]
    return rest.rpartition("/")[0] if kept else rest


def _check_one_folder(path: str, names: Sequence[str], folders: Collection[str]) -> None:
    """Refuse files that lie in several folders, for these may be the same images in other forms."""
    if len(folders) > 1:
        apart = sorted({os.path.dirname(name) or "." for name in names})
        listed = ", ".join(apart[:LISTED]) + (", ..." if len(apart) > LISTED else "")
        raise UserError(
            f"{path} holds {len(names):,} files in {len(folders)} folders ({listed}): give one of these, or a pattern."
        )


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
