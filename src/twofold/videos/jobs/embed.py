"""`embed`: a vector for every video, or for every clip."""

from __future__ import annotations

from pathlib import Path

from twofold.pixels.embedded import free_place
from twofold.printable import say
from twofold.runs.screen import progress_bar
from twofold.videos.embed import embed
from twofold.videos.jobs.model import clips_for, open_model, open_videos, print_notes
from twofold.videos.options import Embed


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file and say where; see `api.embed`."""
    opened = open_model(
        model,
        options,
        fps=options.fps,
        count=options.clips,
        precision=options.precision,
        batch_size=options.batch_size,
        trust=options.trust,
    )
    source = open_videos(data, options, "all")
    if not options.quiet:
        print_notes(source)
    clips = clips_for(source, options, opened.inputs)
    out = Path(options.out) if options.out else free_place(opened.run or Path(), data, source.fingerprint())
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(
            opened.backbone, clips, out, opened.inputs, each_clip=options.each_clip, on_progress=on_progress
        )
    say(written.describe())
    for line in clips.lost():
        say(line)
    return out
