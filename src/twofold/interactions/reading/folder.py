"""Which file holds which part: a folder of train, valid and test files, or files that are named one by one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twofold.errors import UserError
from twofold.interactions.reading.content import KINDS
from twofold.parts import named_among

NAMES = ("train", "valid", "test")
DATA = "data"  # where a clone from a hub has its files
ENDINGS = (".txt", ".csv", ".tsv", ".inter", ".dat", ".parquet", ".npz")


def part_files(path: str, val: str | None, test: str | None) -> tuple[dict[str, str], list[str]]:
    """The files of 'train' and, where there are such, 'valid' and 'test'; and the names in the folder passed over.

    path: a file, or a folder of train.txt, Valid.csv, test.parquet and the like (also .gz, also RecBole's
    name.train.inter, a hub's train-00000-of-00001.parquet, ratings_train.csv beside ratings_test.csv), or of one .inter
    file alone; also the folder above `data`, where such files lie in that. val, test: files that stand for those of the
    folder.
    """
    files, others = _in_folder(path) if os.path.isdir(path) else ({"train": path}, [])
    named = {"valid": val, "test": test}
    return {**files, **{part: os.path.expanduser(file) for part, file in named.items() if file}}, others


def _in_folder(folder: str) -> tuple[dict[str, str], list[str]]:
    try:
        names = sorted(n for n in os.listdir(folder) if not n.startswith("."))
    except PermissionError as error:
        raise UserError(f"{folder} may not be read (permission denied).") from error
    files = [name for name in names if not os.path.isdir(os.path.join(folder, name))]
    parts = parts_of(files)
    if not parts and DATA in names and DATA not in files:
        inner, beside = _in_folder(os.path.join(folder, DATA))
        return inner, [name for name in names if name != DATA] + beside
    found: dict[str, str] = {}
    others = [name for name in names if parts.get(name) not in NAMES]
    for name in names:
        part = parts.get(name, "")
        if part in found:
            raise UserError(
                f"{folder} holds two {part} files ({found[part]} and {name}); remove one, join them, or give the files."
            )
        if part in NAMES:
            found[part] = name
    inters = [n for n in others if n.lower().endswith((".inter", ".inter.gz"))]
    if not found and len(inters) == 1:
        found["train"] = inters[0]
        others.remove(inters[0])
    if "train" not in found:
        found_names = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "nothing"
        raise UserError(f"{folder} holds no train file but {found_names}; call it train.txt, train.csv, ... ({KINDS}).")
    return {part: os.path.join(folder, name) for part, name in found.items()}, others


def parts_of(names: Sequence[str]) -> dict[str, str]:
    """The part of each file whose name tells one, as far as its ending may hold interactions."""
    stems = {name: stem for name in names if (stem := _stem(name)) is not None}
    said = named_among(stems.values())
    rests = {what.rest for what in said.values()}
    rest = "" if "" in rests or not rests else min(rests)
    return {name: said[stem].part for name, stem in stems.items() if stem in said and said[stem].rest == rest}


def _stem(name: str) -> str | None:
    """A file's name without its endings, of name.train.inter (RecBole's) train; None for a file of no known ending."""
    plain = name[:-3] if name.lower().endswith(".gz") else name
    ending = next((e for e in ENDINGS if plain.lower().endswith(e)), None)
    if ending is None:
        return None
    stem = plain[: -len(ending)]
    return stem.rpartition(".")[2] if ending == ".inter" else stem
