"""`prepare`: every video decoded once."""

from __future__ import annotations

from pathlib import Path

from twofold.errors import UserError
from twofold.pixels.reading.words import by_reason
from twofold.printable import say
from twofold.resources import bytes_in_words
from twofold.runs.screen import progress_bar
from twofold.videos.jobs.model import open_videos, print_notes
from twofold.videos.options import Prepare
from twofold.videos.reading.clips import damage
from twofold.videos.reading.preparing import Preparing, prepare


def run(data: str, out: str, options: Prepare) -> Path:
    """Write the folder and say how to use it; see `api.prepare`."""
    if options.fps and options.motion and options.transcode == "never":
        raise UserError(
            "The motion that a video tells is from each of its frames to the next, and --fps leaves some out: leave "
            "--transcode at auto, which takes it from a copy, or give no --fps."
        )
    source = open_videos(data, options, "all" if options.part is None else "train")
    print_notes(source)
    settings = Preparing(
        options.short_side, options.quality, options.motion, options.transcode, options.deinterlace, options.fps
    )
    with progress_bar(f"preparing {data}") as on_progress:
        made = prepare(
            source,
            out,
            settings,
            workers=options.workers,
            max_unreadable=options.max_unreadable,
            on_progress=on_progress,
        )
    unreadable = made.unreadable
    broken, size = len(unreadable), sum(file.stat().st_size for file in Path(out).rglob("*") if file.is_file())
    if unreadable:
        say(f"{broken:,} of {len(source):,} videos could not be read and are left out: {by_reason(unreadable)}.")
    for line in damage(source.names, made.lost):
        say(line)
    if made.deinterlaced and options.deinterlace == "auto":
        say(f"{made.deinterlaced:,} have interlaced frames, made whole; --deinterlace never leaves them as they are.")
    if made.removed:
        say(f"{made.removed:,} prepared earlier were removed: {data} has no such videos that can be read.")
    say(f"Prepared: {len(source) - broken:,} videos, {bytes_in_words(size)}: give {out} as the data from now on.")
    return Path(out)
