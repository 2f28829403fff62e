"""`embed`: a vector for every image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twofold.images.embed import embed
from twofold.images.jobs.model import open_images, open_model
from twofold.images.jobs.settle import data_name
from twofold.runs.screen import progress_bar


def run(given: dict[str, Any]) -> Path:
    """Write the parquet file and say where; see `api.embed`."""
    model = open_model(
        given["model"],
        image_size=given["image_size"],
        precision=given["precision"],
        batch_size=given["batch_size"],
    )
    images = open_images(given["data"], given, model.inputs.size, model.inputs.device, max_unreadable=1.0)
    out = Path(given["out"] or (model.run or Path()) / f"{data_name(given['data'])}-embeddings.parquet")
    with progress_bar("embedding", given["quiet"]) as progress:
        written = embed(model.backbone, images, out, model.inputs, progress=progress)
    print(written.describe())
    return out
