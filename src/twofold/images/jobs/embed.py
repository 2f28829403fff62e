"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path

from twofold.images.embed import embed
from twofold.images.jobs.model import RANDOM, open_images, open_model
from twofold.images.options import Embed
from twofold.printable import say
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
    images = open_images(data, options, opened.inputs.size, opened.inputs.device, max_unreadable=1.0)
    out = Path(options.out or (opened.run or Path()) / f"{data_name(data)}-embeddings.parquet")
    with progress_bar("embedding", options.quiet) as on_progress:
        written = embed(opened.backbone, images, out, opened.inputs, on_progress=on_progress)
    say(f"{written.describe()}; weights of {opened.name}" if model.startswith(RANDOM) else written.describe())
    return out
