"""`embed`: a vector for every video, or for every clip."""

from __future__ import annotations

from pathlib import Path

from twofold.pixels.embedded import free_place
from twofold.pixels.sharding import Parts, Shard, about_vectors, shard_named, take_device, write_parts
from twofold.printable import say
from twofold.runs.folder import data_name
from twofold.runs.screen import progress_bar
from twofold.videos.embed import embed, schema_for
from twofold.videos.jobs.model import Model, clips_for, open_model, open_videos, print_notes
from twofold.videos.options import Embed
from twofold.videos.reading.clips import Clips


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file, or a shard of a folder of such, and say where; see `api.embed`."""
    shard = None if options.shard is None else shard_named(options.shard)
    if shard:
        take_device()
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
    folder = Path(options.out) if options.out else (opened.run or Path()) / f"{data_name(data)}-embeddings"
    schema = schema_for(opened.backbone, clips, opened.inputs, options.each_clip)
    parts = Parts(folder, len(clips), about_vectors(schema, opened.backbone))
    with progress_bar(f"embedding, shard {shard.number} of {shard.count}", options.quiet) as on_progress:

        def write(file: Path, rows: range) -> None:
            each = options.each_clip
            embed(opened.backbone, clips, file, opened.inputs, each_clip=each, rows=rows, on_progress=on_progress)

        own = write_parts(parts, shard, write)
    say(parts.describe(shard, own, clips.unreadable, "videos"))
    for line in clips.lost():
        say(line)
    return folder
