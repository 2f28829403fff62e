"""The front door of the images wing."""

from __future__ import annotations

import os
from pathlib import Path

from twofold.catalog.looking import IMAGES, VIDEOS, is_environment, shows, shows_episodes, tells
from twofold.catalog.wing import Verb, Wing
from twofold.given import is_given
from twofold.images import options
from twofold.images.systems import RECIPES

MODELS = ("random:", "timm:", "torchvision:")
IN_FOLDERS = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".npy", ".dcm", ".parquet", ".tar",
)  # fmt: skip
FILES = (*IN_FOLDERS, ".tgz", ".npz", ".txt", ".lst", ".list")
LABELS = (".json", ".yaml", ".yml")


def recognises(data: str) -> bool:
    """A file of images or of their labels, or a folder of images or of further folders; also a name without an
    ending, and data that a program hands over. Not where videos are seen and no images, and no environment or log of
    one."""
    if is_environment(data) or shows_episodes(data):
        return False
    if shows(data, VIDEOS) and not shows(data, IMAGES):
        return False
    if is_given(data):
        return True
    if os.path.isdir(data):
        with os.scandir(data) as entries:
            return any(entry.is_dir() or entry.name.lower().endswith(IN_FOLDERS) for entry in entries)
    return not Path(data).suffix or _may_hold_images(data) or data.lower().endswith(LABELS)


def _may_hold_images(name: str) -> bool:
    plain = name.lower().removesuffix(".gz")
    return plain.endswith(FILES) or "idx" in Path(plain).name


def opens(model: str) -> bool:
    """An exported backbone that is not of clips or states, or the name of a network, published or untrained."""
    others = tells(model, "clip_size") or tells(model, "world")
    return model.startswith(MODELS) or (Path(model).suffix == ".safetensors" and not others)


WING = Wing(
    kind="images",
    example="photos/",
    recognises=recognises,
    recipes=RECIPES,
    usual="simclr",
    opens=opens,
    verbs={
        "pretrain": Verb(options.Pretrain, "twofold.images.jobs.pretrain:run"),
        "check": Verb(options.Check, "twofold.images.jobs.check:run"),
        "evaluate": Verb(options.Evaluate, "twofold.images.jobs.evaluate:run"),
        "compare": Verb(options.Compare, "twofold.images.jobs.compare:run"),
        "embed": Verb(options.Embed, "twofold.images.jobs.embed:run"),
        "export": Verb(options.Export, "twofold.images.jobs.export:run"),
        "load": Verb(options.Load, "twofold.images.jobs.load:run"),
        "prepare": Verb(options.Prepare, "twofold.images.jobs.prepare:run"),
    },
    sections="twofold.images.report.sections:SECTIONS",
    trials="twofold.images.trials:trials",
    changes="twofold.pixels.views.changes:listed_of",
)
