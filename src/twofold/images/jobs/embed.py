"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path

from twofold.images.embed import embed, schema_for
from twofold.images.jobs.model import RANDOM, Model, as_trained, open_images, open_model, print_notes
from twofold.images.options import Embed
from twofold.images.reading import Images
from twofold.pixels.embedded import free_place
from twofold.pixels.sharding import Parts, Shard, about_vectors, shard_named, take_device, write_parts
from twofold.printable import say
from twofold.runs.folder import data_name
from twofold.runs.screen import progress_bar


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file, or a shard of a folder of such, and say where; see `api.embed`."""
    shard = None if options.shard is None else shard_named(options.shard)
    if shard:
        take_device()
    opened = open_model(
        model,
        image_size=options.image_size,
        precision=options.precision,
        batch_size=options.batch_size,
        trust=options.trust,
    )
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
    folder = Path(options.out) if options.out else (opened.run or Path()) / f"{data_name(data)}-embeddings"
    schema = schema_for(opened.backbone, images, opened.inputs)
    parts = Parts(folder, len(images), about_vectors(schema, opened.backbone))
    with progress_bar(f"embedding, shard {shard.number} of {shard.count}", options.quiet) as on_progress:

        def write(file: Path, rows: range) -> None:
            embed(opened.backbone, images, file, opened.inputs, rows=rows, on_progress=on_progress)

        own = write_parts(parts, shard, write)
    say(parts.describe(shard, own, images.unreadable, "images"))
    return folder
