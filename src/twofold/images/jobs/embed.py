"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path

from twofold.images.embed import embed
from twofold.images.jobs.model import as_trained, open_images, open_model, print_notes
from twofold.images.options import Embed
from twofold.runs.folder import data_name
from twofold.runs.screen import progress_bar


def run(model: str, data: str, options: Embed) -> Path:
    """Write the parquet file and say where; see `api.embed`."""
    opened = open_model(
        model,
        image_size=options.image_size,
        precision=options.precision,
        batch_size=options.batch_size,
        trust=options.trust,
    )
    options = as_trained(options, opened)
    images = open_images(data, options, opened.inputs.size, opened.inputs.device, max_unreadable=1.0)
    if not options.quiet:
        print_notes(images.source)
    out = Path(options.out or (opened.run or Path()) / f"{data_name(data)}-embeddings.parquet")
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(opened.backbone, images, out, opened.inputs, on_progress=on_progress)
    print(written.describe())
    return out
