"""`embed`: a vector for every video, or for every clip."""

from __future__ import annotations

from pathlib import Path

from twofold.pixels.embedded import free_place
from twofold.pixels.reading.words import by_reason
from twofold.pixels.sharding import (
    Parts,
    Shard,
    about_vectors,
    shard_named,
    take_device,
    usual_folder,
    write_shard,
)
from twofold.printable import say
from twofold.runs.screen import OnProgress, progress_bar
from twofold.videos.embed import embed, schema_for
from twofold.videos.jobs.model import Model, clips_for, open_for, open_videos, print_notes
from twofold.videos.options import Embed
from twofold.videos.reading.clips import Clips


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file, or a shard of a folder of such, and say where; see `api.embed`."""
    shard = None if options.shard is None else shard_named(options.shard)
    if shard:
        take_device()
    opened = open_for(model, options)
    source = open_videos(data, options, "all")
    if not options.quiet:
        print_notes(source)
    clips = clips_for(source, options, opened.inputs)
    if shard:
        return _shard(opened, clips, data, options, shard)
    out = Path(options.out) if options.out else free_place(opened.run or Path(), data, source.fingerprint())
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(
            opened.backbone, clips, out, opened.inputs, each_clip=options.each_clip, on_progress=on_progress
        )
    say(written.describe())
    for line in clips.lost():
        say(line)
    return out


def _shard(opened: Model, clips: Clips, data: str, options: Embed, shard: Shard) -> Path:
    """Write the parts of a shard; the folder that all shards fill."""
    each = options.each_clip

    def write(file: Path, rows: range, on_progress: OnProgress) -> None:
        embed(opened.backbone, clips, file, opened.inputs, each_clip=each, rows=rows, on_progress=on_progress)

    about = about_vectors(schema_for(opened.backbone, clips, opened.inputs, each), opened.backbone)
    folder = Path(options.out) if options.out else usual_folder(opened.run, data)
    write_shard(shard, Parts(folder, len(clips), about), write, quiet=options.quiet)
    if clips.unreadable:
        say(f"Left out {len(clips.unreadable):,} unreadable videos: {by_reason(clips.unreadable)}.")
    for line in clips.lost():
        say(line)
    return folder
