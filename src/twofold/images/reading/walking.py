"""The files below a folder, local or behind a URL, in an order that is the same everywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from twofold.images.reading.metadata import FILES as METADATA_FILES
from twofold.images.reading.source import is_image
from twofold.pixels.reading.places import Place
from twofold.pixels.reading.walking import files_below
from twofold.pixels.reading.words import extension

TABLES = (".parquet", ".parq", ".pq")
SHARDS = (*TABLES, ".tar")
ARRAY = ".npy"


@dataclass(frozen=True)
class Below:
    """Names below a folder, sorted: of images, of tables that may tell their labels, of files that may hold images; and
    what was passed over, counted by its ending or by cause. Where nothing else is an image, .npy files are."""

    images: list[str]
    tables: list[str]
    shards: list[str]
    skipped: Counter[str]


def walk(root: Place) -> Below:
    """What lies below a folder."""
    below, arrays = Below([], [], [], Counter()), list[str]()
    for name in files_below(root, below.skipped, _counts):
        if is_image(name):
            below.images.append(name)
        elif name.rpartition("/")[2] in METADATA_FILES:
            below.tables.append(name)
        elif name.lower().endswith(SHARDS):
            below.shards.append(name)
        elif name.lower().endswith(ARRAY):
            arrays.append(name)
        else:
            below.skipped[extension(name) or "no extension"] += 1
    if below.images or below.shards:
        below.skipped.update({ARRAY: len(arrays)} if arrays else {})
    else:
        below.images.extend(arrays)
    for names in (below.images, below.tables, below.shards):
        names.sort()
    return below


def _counts(name: str) -> bool:
    """Whether a file of this name may be opened."""
    return is_image(name) or name in METADATA_FILES or name.lower().endswith((*SHARDS, ARRAY))
