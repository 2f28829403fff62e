"""evaluation.json of a run folder: what was measured, the newest measurement of each thing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twofold.files import write_json

FILE = "evaluation.json"
KEY = ("protocol", "metric", "name", "data", "settings", "seed")


def add_results(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Put results (KEY, value 0 to 1, floor) into evaluation.json; one with the same key takes the old one's place."""
    by_key = {tuple(str(entry.get(key)) for key in KEY): dict(entry) for entry in [*read_results(folder), *entries]}
    write_json(folder / FILE, list(by_key.values()))


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The results that a run folder keeps; none where nothing was measured."""
    file = folder / FILE
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
