"""`prepare`: large images shrunk once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twofold.images.reading.preparing import prepare
from twofold.runs.screen import progress_bar


def run(given: dict[str, Any]) -> Path:
    """Write the folder and say how to use it; see `api.prepare`."""
    data, out = given.pop("data"), Path(given.pop("out"))
    with progress_bar(f"preparing {data}") as progress:
        prepare(data, str(out), progress=progress, **given)
    print(f"Prepared: give {out} as the data from now on.")
    return out
