"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path

from twofold.images.embed import embed
from twofold.images.jobs.model import RANDOM, as_trained, open_images, open_model, print_notes
from twofold.images.options import Embed
from twofold.pixels.embedded import free_place
from twofold.printable import say
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
    images = open_images(data, options, opened.inputs.size, opened.inputs.device, role="all", max_unreadable=1.0)
    if not options.quiet:
        print_notes(images.source)
    out = Path(options.out) if options.out else free_place(opened.run or Path(), data, images.source.fingerprint())
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(opened.backbone, images, out, opened.inputs, on_progress=on_progress)
    say(f"{written.describe()}; weights of {opened.name}" if model.startswith(RANDOM) else written.describe())
    return out
