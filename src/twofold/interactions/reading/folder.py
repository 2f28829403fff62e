"""Which file holds which part: a folder of train, valid and test files, or files that are named one by one."""

from __future__ import annotations

import os

from twofold.errors import UserError
from twofold.interactions.reading.content import KINDS

NAMES = {"train": ("train", "training"), "valid": ("valid", "validation", "val", "dev"), "test": ("test", "testing")}
ENDINGS = (".txt", ".csv", ".tsv", ".inter", ".dat", ".parquet", ".npz")


def part_files(path: str, val: str | None, test: str | None) -> tuple[dict[str, str], list[str]]:
    """The files of 'train' and, where there are such, 'valid' and 'test'; and the names in the folder passed over.

    path: a file, or a folder of train.txt, valid.csv, test.parquet and the like (also .gz, also RecBole's
    name.train.inter), or of one .inter file alone. val, test: files that stand for those of the folder.
    """
    files, others = _in_folder(path) if os.path.isdir(path) else ({"train": path}, [])
    named = {"valid": val, "test": test}
    return {**files, **{part: os.path.expanduser(file) for part, file in named.items() if file}}, others


def _in_folder(folder: str) -> tuple[dict[str, str], list[str]]:
    try:
        names = sorted(n for n in os.listdir(folder) if not n.startswith("."))
    except PermissionError as error:
        raise UserError(f"{folder} may not be read (permission denied).") from error
    found: dict[str, str] = {}
    others = []
    for name in names:
        part = part_of(name)
        if part is None or os.path.isdir(os.path.join(folder, name)):
            others.append(name)
        elif part in found:
            raise UserError(
                f"{folder} holds two {part} files ({found[part]} and {name}); remove one or give the files."
            )
        else:
            found[part] = name
    inters = [n for n in others if n.lower().endswith((".inter", ".inter.gz"))]
    if not found and len(inters) == 1:
        found["train"] = inters[0]
        others.remove(inters[0])
    if "train" not in found:
        found_names = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "nothing"
        raise UserError(f"{folder} holds no train file but {found_names}; call it train.txt, train.csv, ... ({KINDS}).")
    return {part: os.path.join(folder, name) for part, name in found.items()}, others


def part_of(name: str) -> str | None:
    """'train', 'valid', 'test' or None, by a file's name."""
    stem = name.lower().removesuffix(".gz")
    ending = next((e for e in ENDINGS if stem.endswith(e)), None)
    if ending is None:
        return None
    stem = stem.removesuffix(ending)
    stem = stem.rpartition(".")[2] if ending == ".inter" else stem
    return next((part for part, names in NAMES.items() if stem in names), None)
