"""Pairs of pictures with points that mark the same things in both: JSON as SPair-71k has it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.files import read_whole
from twofold.images.reading.decode import decode
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.reading.places import place

MOST_BYTES = 2**28  # of a file of pairs
MOST_PIXELS = 10**7  # a place may lie away
FIELDS = ("src_imname", "trg_imname", "src_kps", "trg_kps", "trg_bndbox")


@dataclass(frozen=True)
class PointPair:
    """source, target: paths of two pictures. source_points, target_points: float64 (n, 2), x and y in their pixels, the
    same things in both. target_extent: the longer side of the target thing's box in pixels."""

    source: str
    target: str
    source_points: Tensor
    target_points: Tensor
    target_extent: float


def read_pairs(path: str, images: str | None = None) -> tuple[list[PointPair], int]:
    """(pairs, how many were left out because they mark no point) of a JSON file with a list of pairs, {"pairs": [...]}
    or one pair, or of a folder of such files.

    A pair has src_imname, trg_imname, src_kps and trg_kps ([[x, y], ...], point for point), trg_bndbox (left, top,
    right, bottom) and maybe category. A picture is looked for in `images`, beside the file, and in JPEGImages of a
    folder above it, there also under its category. Raises UserError, with file and field, for anything else.
    """
    root = Path(path).expanduser()
    files = sorted(root.rglob("*.json")) if root.is_dir() else [root]
    if not files:
        raise UserError(f"{path} holds no .json file with pairs of pictures: give one, or a folder of them.")
    found, empty = [], 0
    for file in files:
        for number, entry in enumerate(_entries(file)):
            pair = _pair(entry, file, f"pair {number} of {file}", images)
            if pair is None:
                empty += 1
            else:
                found.append(pair)
    if not found:
        raise UserError(f"{path} has no pair with a point in it: give pairs as SPair-71k has them.")
    return found, empty


def read_picture(path: str) -> Tensor:
    """uint8 (3, H, W), upright. Raises UserError where it cannot be read."""
    try:
        return decode(place(path).read(), None)
    except (DecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read ({clause(error)}): restore it, or take its pairs out.") from error


def _entries(file: Path) -> list[Any]:
    try:
        found = json.loads(read_whole(file, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} is no file of pairs ({clause(error)}): give JSON as SPair-71k has it.") from error
    if isinstance(found, Mapping):
        found = found.get("pairs", [found])
    if not isinstance(found, list):
        raise UserError(f"{file} is no file of pairs: it should hold a list of them.")
    return found


def _pair(entry: Any, file: Path, where: str, images: str | None) -> PointPair | None:
    missing = [name for name in FIELDS if not isinstance(entry, Mapping) or name not in entry]
    if missing:
        raise UserError(f"In {where} {missing[0]} is missing: a pair has {', '.join(FIELDS)}.")
    points = [_numbers(entry[name], 2, f"{name} of {where}") for name in ("src_kps", "trg_kps")]
    if len(points[0]) != len(points[1]):
        raise UserError(
            f"In {where} src_kps has {len(points[0])} points and trg_kps {len(points[1])}: they belong together one by "
            f"one, so leave those out that one picture does not show."
        )
    box = _numbers([entry["trg_bndbox"]], 4, f"trg_bndbox of {where}")[0]
    extent = float(max(box[2] - box[0], box[3] - box[1]))
    if extent <= 0:
        raise UserError(f"In {where} trg_bndbox is empty: it should be left, top, right, bottom in pixels.")
    if not len(points[0]):
        return None
    source, target = (_picture(entry, name, file, where, images) for name in ("src_imname", "trg_imname"))
    return PointPair(source, target, points[0], points[1], extent)


def _numbers(values: Any, width: int, what: str) -> Tensor:
    right = isinstance(values, list) and all(
        isinstance(row, list)
        and len(row) == width
        and all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= MOST_PIXELS for n in row)
        for row in values
    )
    if not right:
        raise UserError(f"The {what} is no list of {width} numbers of pixels a point: write it as SPair-71k does.")
    return torch.tensor(values, dtype=torch.float64).reshape(-1, width)


def _picture(entry: Mapping[str, Any], field: str, file: Path, where: str, images: str | None) -> str:
    name, category = entry[field], str(entry.get("category", ""))
    if not isinstance(name, str):
        raise UserError(f"In {where} {field} is no name of a picture: write it as SPair-71k does.")
    if os.path.isabs(name) or ".." in Path(name).parts or ".." in Path(category).parts:
        raise UserError(f"In {where} {field} leads out of its folder ({name}): name pictures below one folder.")
    roots = [Path(images).expanduser()] if images else [file.parent]
    if not images:
        roots += [above / "JPEGImages" for above in file.parents[:4]]
    tried = [root / folder / name for root in roots for folder in dict.fromkeys(("", category))]
    for candidate in tried:
        if os.path.isfile(candidate):
            return str(candidate)
    raise UserError(
        f"{name[:200]} of {where} was found neither beside it nor in JPEGImages: say where by --images FOLDER."
    )
