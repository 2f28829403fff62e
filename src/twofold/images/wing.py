"""The front door of the images wing."""

from __future__ import annotations

import os
from pathlib import Path

from twofold.catalog.wing import Verb, Wing
from twofold.images import options
from twofold.images.systems import RECIPES

MODELS = ("random:",)
TABLES = (".csv", ".tsv", ".inter", ".csv.gz", ".tsv.gz")
FILES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif",
    ".parquet", ".tar", ".npz", ".npy", ".idx", ".gz",
)  # fmt: skip


def recognises(data: str) -> bool:
    """Anything but a table of text, and a folder of images, of files that hold images, or of further folders."""
    if not os.path.isdir(data):
        return not data.lower().endswith(TABLES)
    with os.scandir(data) as entries:
        return any(entry.is_dir() or entry.name.lower().endswith(FILES) for entry in entries)


def opens(model: str) -> bool:
    """An exported backbone, or the name of an untrained network."""
    return model.startswith(MODELS) or Path(model).suffix == ".safetensors"


WING = Wing(
    kind="images",
    example="photos/",
    recognises=recognises,
    recipes=RECIPES,
    usual="simclr",
    opens=opens,
    verbs={
        "pretrain": Verb(options.Pretrain, "twofold.images.jobs.pretrain:run"),
        "check": Verb(options.Pretrain, "twofold.images.jobs.check:run"),
        "evaluate": Verb(options.Evaluate, "twofold.images.jobs.evaluate:run"),
        "compare": Verb(options.Compare, "twofold.images.jobs.compare:run"),
        "embed": Verb(options.Embed, "twofold.images.jobs.embed:run"),
        "export": Verb(options.Export, "twofold.images.jobs.export:run"),
        "prepare": Verb(options.Prepare, "twofold.images.jobs.prepare:run"),
    },
    sections="twofold.images.report.sections:SECTIONS",
)
