"""`prepare`: large images shrunk once."""

from __future__ import annotations

from pathlib import Path

from twofold.images.options import Prepare
from twofold.images.reading.preparing import prepare


def run(data: str, out: str, options: Prepare) -> Path:
    """Write the folder and say how to use it; see `api.prepare`."""
    made = prepare(
        data,
        out,
        short_side=options.short_side,
        workers=options.workers,
        image_column=options.image_column,
        label_column=options.label_column,
    )
    print(f"Prepared: give {made} as the data from now on.")
    return Path(made)
