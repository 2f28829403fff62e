"""evaluation.json of a run folder: what was measured, the newest measurement of each thing."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import UserError
from twofold.files import write_json
from twofold.printable import say
from twofold.runs.schema import read_json, wrong_in

FILE = "evaluation.json"
KEY = ("protocol", "metric", "name", "settings", "seed")


@dataclass(frozen=True)
class Entry:
    """What each entry has at least; others may be there.

    data: what was asked about, a path. settings: of the protocol, in words. conditions: all else that makes the number
    another, a few words and a value each. fingerprints: of the data, and of those conditions that are paths.
    """

    protocol: str
    metric: str
    name: str
    value: float
    floor: bool = False
    data: str | None = None
    settings: str | None = None
    seed: int | None = None
    conditions: dict[str, Any] | None = None
    fingerprints: dict[str, str] | None = None


def is_result(entry: object) -> bool:
    """Whether it is an entry as twofold writes it."""
    return not wrong_in(Entry, entry)


def add_results(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Put results (see `Entry`) into evaluation.json; one of the same question takes the old one's place.

    A damaged file is kept beside as evaluation.json.damaged.
    """
    kept, damaged = _sound(folder)
    if damaged:
        with contextlib.suppress(OSError):
            (folder / FILE).replace(folder / f"{FILE}.damaged")
        say(f"{folder / FILE} is damaged: what can be read is kept, the old file as {FILE}.damaged.", sys.stderr)
    by_key: dict[str, dict[str, Any]] = {}
    for entry in [*kept, *entries]:
        by_key.setdefault(question(entry), {}).update(entry)
    write_json(folder / FILE, list(by_key.values()))


def question(entry: Mapping[str, Any]) -> str:
    """What an entry measured, of whom and how: two that differ in it are two numbers. Data count by their fingerprints,
    where there are such, and otherwise by their paths."""
    return json.dumps([[entry.get(name) for name in KEY], circumstances(entry)], sort_keys=True, default=str)


def circumstances(entry: Mapping[str, Any]) -> dict[str, Any]:
    """On what, and under which conditions, an entry was measured."""
    return {"data": entry.get("data"), **part(entry, "conditions"), **part(entry, "fingerprints")}


def part(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The conditions or the fingerprints of an entry; none of one that has none, as earlier versions wrote it."""
    found = entry.get(name)
    return found if isinstance(found, dict) else {}


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The results that a run folder keeps; none where nothing was measured, or nothing can be read."""
    return _sound(folder)[0]


def _sound(folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """The entries that can be read, and whether anything cannot."""
    if not (folder / FILE).exists():
        return [], False
    try:
        found = read_json(folder / FILE)
    except UserError:
        return [], True
    listed = found if isinstance(found, list) else []
    sound = [entry for entry in listed if is_result(entry)]
    return sound, len(sound) < len(listed) or listed is not found
