"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path

from twofold.images.embed import embed, schema_for
from twofold.images.jobs.model import RANDOM, Model, as_trained, open_for, open_images, print_notes
from twofold.images.options import Embed
from twofold.images.reading import Images
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


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file, or a shard of a folder of such, and say where; see `api.embed`."""
    shard = None if options.shard is None else shard_named(options.shard)
    if shard:
        take_device()
    opened = open_for(model, options)
    options = as_trained(options, opened)
    images = open_images(data, options, opened.inputs.size, opened.inputs.device, role="all", max_unreadable=1.0)
    if not options.quiet:
        print_notes(images.source)
    if shard:
        return _shard(opened, images, data, options, shard)
    out = Path(options.out) if options.out else free_place(opened.run or Path(), data, images.source.fingerprint())
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(opened.backbone, images, out, opened.inputs, on_progress=on_progress)
    say(f"{written.describe()}; weights of {opened.name}" if model.startswith(RANDOM) else written.describe())
    return out


def _shard(opened: Model, images: Images, data: str, options: Embed, shard: Shard) -> Path:
    """Write the parts of a shard; the folder that all shards fill."""

    def write(file: Path, rows: range, on_progress: OnProgress) -> None:
        embed(opened.backbone, images, file, opened.inputs, rows=rows, on_progress=on_progress)

    about = about_vectors(schema_for(opened.backbone, images, opened.inputs), opened.backbone)
    folder = Path(options.out) if options.out else usual_folder(opened.run, data)
    write_shard(shard, Parts(folder, len(images), about), write, quiet=options.quiet)
    if images.unreadable:
        say(f"Left out {len(images.unreadable):,} unreadable images: {by_reason(images.unreadable)}.")
    return folder
