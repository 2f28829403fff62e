"""`prepare`: large images shrunk once."""

from __future__ import annotations

from pathlib import Path

from twofold.images.options import Prepare
from twofold.images.reading.preparing import prepare
from twofold.printable import say
from twofold.runs.screen import progress_bar


def run(data: str, out: str, options: Prepare) -> Path:
    """Write the folder and say how to use it; see `api.prepare`."""
    with progress_bar(f"preparing {data}") as on_progress:
        prepare(
            data,
            out,
            short_side=options.short_side,
            workers=options.workers,
            white=options.white,
            black=options.black,
            fourth_channel=options.fourth_channel,
            say=print,
            on_progress=on_progress,
            **{**options.wanted(), "channels": options.channels},
        )
    say(f"Prepared: give {out} as the data from now on.")
    return Path(out)
