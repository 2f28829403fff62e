"""From a path to a source: which kind of data lies there."""

from __future__ import annotations

import json

from twofold.errors import UserError, clause
from twofold.images.reading.arrays import open_idx, open_npy, open_npz
from twofold.images.reading.files import open_folder, open_list
from twofold.images.reading.parquet import Parquet
from twofold.images.reading.places import MOST_IMAGE, Place, braces, missing, place
from twofold.images.reading.shards import Shards
from twofold.images.reading.source import Source, is_image

MANIFEST = "prepared.json"  # what `prepare` leaves in its folder
TABLES = (".parquet", ".parq", ".pq")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
LISTS = (".txt", ".lst", ".list")
KINDS = (
    "a folder of images, a .txt list, .parquet, .tar shards, .npz, .npy or idx arrays, or an fsspec URL of one of these"
)


def open_source(path: str, *, image_column: str | None = None, label_column: str | None = None) -> Source:
    """The images at a path, not yet read.

    path: a folder (nested, flat or mixed; or one that holds parquet files or tar shards), a .txt list of paths,
    .parquet, .tar, .npz, .npy, idx (also .gz), local or as an fsspec URL (s3://, https://, memory:// ...). {000..009}
    and {a,b} stand for several shards, * and ? for any. image_column, label_column: of parquet files, where the usual
    names are not used. Raises UserError for whatever is missing, empty or of no known kind.
    """
    path = str(path)
    try:
        places = _places(path)
        first = places[0]
        name = first.name.lower()
        if len(places) == 1 and _is_folder(first):
            shards = _shards_in(first)
            if not shards:
                return _no_columns(open_folder(path, first), image_column, label_column)
            places, name = shards, shards[0].name.lower()
        if name.endswith(TABLES):
            return Parquet(path, places, image_column, label_column)
        return _no_columns(_open_files(path, places, name), image_column, label_column)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{error.filename or path} may not be read (permission denied).") from error
    except Exception as error:
        if "://" not in path:
            raise
        raise UserError(f"{path} cannot be read ({type(error).__name__}: {clause(error)}).") from error


def _open_files(path: str, places: list[Place], name: str) -> Source:
    if name.endswith(TARS):
        return Shards(path, places)
    if len(places) > 1:
        raise UserError(f"{path} stands for {len(places)} files, which only .parquet and .tar may be.")
    where = places[0]
    if name.endswith(LISTS):
        return open_list(path, where)
    if name.endswith(".npz"):
        return open_npz(path, where)
    if name.endswith(".npy"):
        return open_npy(path, where)
    if "idx3" in name or "idx4" in name or name.endswith((".idx", ".idx.gz")):
        return open_idx(path, where)
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


def _shards_in(folder: Place) -> list[Place]:
    """The parquet files or tar shards right in a folder, where it holds no images or folders beside them."""
    names = [n for n in folder.children() if not n.startswith(".")]
    if MANIFEST in names and not _is_done(folder.join(MANIFEST)):
        raise UserError(
            f"{folder} holds an unfinished prepare; run the same prepare again: it goes on where it stopped."
        )
    for ending in (".parquet", ".tar"):
        shards = [folder.join(n) for n in names if n.lower().endswith(ending)]
        shards = [shard for shard in shards if shard.is_file()]
        if shards and not any(is_image(n) or folder.join(n).is_dir() for n in names):
            return shards
    return []


def _is_done(manifest: Place) -> bool:
    try:
        found = json.loads(manifest.read(MOST_IMAGE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and bool(found.get("done"))


def _no_columns(source: Source, *columns: str | None) -> Source:
    for column in columns:
        if column:
            raise UserError(f"{source.path} has no columns; {column} can be named for parquet files only.")
    return source
