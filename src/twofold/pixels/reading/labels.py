"""Labels: by the folders they lie in, or by the values of a column."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from twofold.errors import UserError
from twofold.pixels.reading.parts import find_parts

Labels = tuple[np.ndarray | None, list[str] | None]
CODES = 1000  # whole numbers from here on, and 20 times as large as there are classes, are codes, not class numbers
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_ZEROS = re.compile(r"(-?[0-9]{1,18})\.0*")


def labels_from_names(path: str, names: Sequence[str], level: int) -> Labels:
    """Labels by one level of folders, 1 for the outermost; images that lie less deep get -1. Level 0: no labels.

    Raises UserError where no image lies so deep.
    """
    parts = [name.split("/")[:-1] for name in names]
    found = _numbered([p[level - 1] if 0 < level <= len(p) else None for p in parts])
    if level and found[0] is None:
        deepest = max(map(len, parts), default=0)
        raise UserError(f"Nothing of {path} lies {level} folders deep, as --class-level says: give at most {deepest}.")
    return found


def labels_from_folders(names: Sequence[str]) -> Labels:
    """Labels where images sit in two or more sub-folders of a common one; images beside the sub-folders get -1.

    names: with the folders, slashes between. The folders next to the root count, as in torchvision's ImageFolder, after
    leading folders that all share and those that name parts, such as train and val, have been left out.
    """
    owners = [name.rpartition("/")[0] for name in names]
    of = find_parts(owners)
    return labels_of_folders([of[owner][1] for owner in owners])


def labels_of_folders(folders: Sequence[str | None]) -> Labels:
    """The same from the folder of each image, without those that name parts; None for an image without a label."""
    parts = {folder: tuple(folder.split("/")) if folder else () for folder in set(folders) if folder is not None}
    while True:
        firsts = {p[0] for p in parts.values() if p}
        if len(firsts) != 1 or not all(parts.values()):
            break
        parts = {folder: p[1:] for folder, p in parts.items()}
    if len(firsts) < 2:
        return None, None
    first = {folder: p[0] if p else None for folder, p in parts.items()}
    return _numbered([None if folder is None else first[folder] for folder in folders])


def labels_of_parts(folders: Sequence[str | None], parts: Sequence[str]) -> Labels:
    """The same of images of several parts: the classes are those of the first part that has some, and the folders of
    the others are read by their names."""
    if len(set(parts)) < 2:
        return labels_of_folders(folders)
    found: Labels = (None, None)
    words: dict[int, str] = {}
    for part in sorted(set(parts), key=("train", "", "valid", "test", "unlabelled").index):
        rows = [i for i, own in enumerate(parts) if own == part]
        within = [folders[i] for i in rows]
        labels, classes = labels_of_folders(within) if found[1] is None else labels_by_classes(within, found[1], "")
        found = found if found[1] is not None else (labels, classes)
        if labels is not None and classes is not None:
            words |= {i: classes[label] for i, label in zip(rows, labels.tolist(), strict=True) if label >= 0}
    return _numbered([words.get(i) for i in range(len(folders))])


def labels_by_classes(folders: Sequence[str | None], classes: Sequence[str], root: str) -> Labels:
    """Labels by that level of folders that holds most images in folders named as one of the known classes; where none
    does, by the name of the folder that all lie in, `root`. (None, None) where nothing of that fits."""
    known = set(classes)
    counts = Counter(folder for folder in folders if folder is not None)
    parts: Mapping[str, list[str]] = {folder: folder.split("/") if folder else [] for folder in counts}
    hits: Counter[int] = Counter()
    for folder, path in parts.items():
        hits.update({level: counts[folder] for level, name in enumerate(path) if name in known})
    if hits:
        level = min(hits, key=lambda level: (-hits[level], level))
        own = {folder: path[level] if level < len(path) else None for folder, path in parts.items()}
        return _numbered([None if folder is None else own[folder] for folder in folders])
    if root in known:
        return _numbered([None if folder is None else root for folder in folders])
    return None, None


def _numbered(words: Sequence[str | None]) -> Labels:
    classes = sorted({word for word in words if word is not None})
    number: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    if not classes:
        return None, None
    return np.array([number.get(word, -1) for word in words], np.int64), classes


def labels_from_values(values: Sequence[object], names: Sequence[str] | None = None) -> Labels:
    """Labels from a column: whole numbers, also written as 3.0, stay as they are where they can be class numbers;
    others are numbered in sorted order.

    names: of the classes 0, 1, ..., where they are known. None, NaN and negative numbers become -1. Returns (None,
    None) where nothing is labelled, or where values are numbers that are not whole.
    """
    plain = [_plain(value) for value in values]
    known = {v for v in plain if v is not None and not (isinstance(v, int) and v < 0)}
    if not known or any(isinstance(v, float) for v in known):
        return None, None
    numbers = [v for v in known if isinstance(v, int)]
    if len(numbers) == len(known):
        named = list(names) if names and max(numbers) < len(names) else None
        if named or max(numbers) < max(CODES, 20 * len(numbers)):
            labels = np.array([v if v in known else -1 for v in plain], np.int64)
            return labels, named or [str(i) for i in range(max(numbers) + 1)]
    ordered = sorted(known, key=lambda v: (str(type(v)), v))
    number = {v: i for i, v in enumerate(ordered)}
    return np.array([number.get(v, -1) for v in plain], np.int64), [str(v) for v in ordered]


def numbers_in(words: Sequence[str | None]) -> list[object]:
    """The values of a column of text: whole numbers where all are such (also as 3.0), None where nothing stands."""
    stripped = [word.strip() or None if word is not None else None for word in words]
    shown = [word for word in stripped if word is not None and word.lower() != "nan"]
    if not all(_WHOLE.fullmatch(word) or _ZEROS.fullmatch(word) for word in shown):
        return list(stripped)
    return [None if word is None or word.lower() == "nan" else int(word.partition(".")[0]) for word in stripped]


def _plain(value: object) -> object:
    """A value with booleans and whole floats as int, NaN as None."""
    if isinstance(value, (bool, np.bool_, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else int(value) if float(value).is_integer() else float(value)
    return value
