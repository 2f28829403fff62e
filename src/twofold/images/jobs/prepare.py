"""`prepare`: large images shrunk once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twofold.images.reading.preparing import prepare


def run(given: dict[str, Any]) -> Path:
    """Write the folder and say how to use it; see `api.prepare`."""
    out = Path(prepare(given.pop("data"), given.pop("out"), **given))
    print(f"Prepared: give {out} as the data from now on.")
    return out
