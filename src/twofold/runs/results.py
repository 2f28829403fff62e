"""evaluation.json of a run folder: what was measured, the newest measurement of each thing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from twofold.files import write_json

KEY = ("protocol", "metric", "name", "data", "settings", "seed")


def add_results(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Put results (KEY, value 0 to 1, floor) into evaluation.json; one with the same key takes the old one's place."""
    file = folder / "evaluation.json"
    stored = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    by_key = {tuple(str(entry.get(key)) for key in KEY): dict(entry) for entry in [*stored, *entries]}
    write_json(file, list(by_key.values()))
