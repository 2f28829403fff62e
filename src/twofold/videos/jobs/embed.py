"""`embed`: a vector for every video, or for every clip."""

from __future__ import annotations

from pathlib import Path

from twofold.printable import say
from twofold.runs.folder import data_name
from twofold.runs.screen import progress_bar
from twofold.videos.embed import embed, fingerprint_in
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
    out = Path(options.out) if options.out else _free_place(opened.run or Path(), data, source.fingerprint())
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(
            opened.backbone, clips, out, opened.inputs, each_clip=options.each_clip, on_progress=on_progress
        )
    say(written.describe())
    return out


def _free_place(folder: Path, data: str, fingerprint: str) -> Path:
    """Where the vectors of some data go: a file of no other data."""
    usual = folder / f"{data_name(data)}-embeddings.parquet"
    if not usual.exists() or fingerprint_in(usual) == fingerprint:
        return usual
    own = folder / f"{data_name(data)}-{fingerprint[:8]}-embeddings.parquet"
    say(f"{usual} is not known to be of the same data and stays: these vectors go to {own}.")
    return own
