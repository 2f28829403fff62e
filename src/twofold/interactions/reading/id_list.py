"""Ids that a user lists: with commas between, or in a file of one a line."""

from __future__ import annotations

import os
import re
from typing import Any

import pyarrow as pa

from twofold.errors import UserError, nearest
from twofold.interactions.reading.content import check_file, sample, whole

WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
FILES = re.compile(r".*\.(txt|csv|tsv|lst|list|ids|dat|json|parquet|npz|gz)", re.IGNORECASE)
SHOWN = 40  # characters of an id in a message


def read_ids(listed: str, known: pa.Array, what: str) -> list[Any]:
    """Distinct ids of the type of the `known` ones, in the order in which they are listed.

    listed: ids with commas between, or the path of a file of one a line (also .gz). what: the option, or what else
    they are, for the messages. UserError where none is named, a file is missing or not text, or an id cannot be one of
    such a type.
    """
    names = [name.strip() for name in _names(listed, known, what)]
    names = list(dict.fromkeys(name for name in names if name))
    if not names:
        raise UserError(f"{what} names no ids: give some with commas between, or a file of one a line.")
    if not pa.types.is_integer(known.type):
        return names
    return list(dict.fromkeys(_number(name, what) for name in names))


def _names(listed: str, known: pa.Array, what: str) -> list[str]:
    path = os.path.expanduser(listed)
    if os.path.isfile(path):
        return _lines(path, what)
    if _looks_like_a_path(listed) and not _is_known(listed.strip(), known):
        if os.path.isdir(path):
            raise UserError(f"{what} names the folder {listed}: give a file of one id a line.")
        folder, name = os.path.split(path)
        there = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        raise UserError(f"{what} names the file {listed[:200]}, which does not exist.{nearest(name, there)}")
    return listed.split(",")


def _looks_like_a_path(listed: str) -> bool:
    """Whether a single name is rather that of a file or folder than an id."""
    if "," in listed or "\0" in listed:
        return False
    return bool(FILES.fullmatch(listed.strip())) or os.sep in listed


def _is_known(name: str, known: pa.Array) -> bool:
    return pa.types.is_string(known.type) and known.index(name).as_py() >= 0


def _lines(path: str, what: str) -> list[str]:
    if not os.path.getsize(path):
        return []
    if check_file(path) != "text":
        raise UserError(f"{path} is no text; {what} takes a text file of one id a line.")
    data, _ = sample(path)
    try:
        return re.split("\r\n|\r|\n", whole(path).decode("utf-8")) if data else []
    except UnicodeDecodeError as error:
        raise UserError(f"{path} holds ids that are not text in UTF-8; save it in UTF-8.") from error


def _number(name: str, what: str) -> int:
    if not WHOLE.fullmatch(name) or not -(2**63) <= int(name) < 2**63:
        raise UserError(f'{what} names "{name[:SHOWN]}", and the ids of this run are whole numbers of at most 64 bits.')
    return int(name)
