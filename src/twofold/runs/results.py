"""evaluation.json of a run folder: what was measured, the newest measurement of each thing."""

from __future__ import annotations

import contextlib
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
KEY = ("protocol", "metric", "name", "data", "settings", "seed")


@dataclass(frozen=True)
class Entry:
    """What each entry has at least; others may be there."""

    protocol: str
    metric: str
    name: str
    value: float
    floor: bool = False
    data: str | None = None
    settings: str | None = None
    seed: int | None = None


def is_result(entry: object) -> bool:
    """Whether it is an entry as twofold writes it."""
    return not wrong_in(Entry, entry)


def add_results(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Put results (KEY, value 0 to 1, floor) into evaluation.json; one with the same key takes the old one's place.

    A damaged file is kept beside as evaluation.json.damaged.
    """
    kept, damaged = _sound(folder)
    if damaged:
        with contextlib.suppress(OSError):
            (folder / FILE).replace(folder / f"{FILE}.damaged")
        say(f"{folder / FILE} is damaged: what can be read is kept, the old file as {FILE}.damaged.", sys.stderr)
    by_key = {tuple(str(entry.get(key)) for key in KEY): dict(entry) for entry in [*kept, *entries]}
    write_json(folder / FILE, list(by_key.values()))


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
