"""The front door of the videos wing."""

from __future__ import annotations

from twofold.catalog.looking import VIDEOS, shows, tells
from twofold.catalog.wing import Verb, Wing
from twofold.videos import options
from twofold.videos.systems import ADDITIONS, RECIPES, SYSTEMS


def recognises(data: str) -> bool:
    """A video, or a folder, tar or list in which some are seen."""
    return shows(data, VIDEOS)


def opens(model: str) -> bool:
    """An exported backbone of clips: its own metadata tell it from one of images."""
    return model.endswith(".safetensors") and tells(model, "clip_size")


WING = Wing(
    kind="videos",
    example="clips/",
    recognises=recognises,
    systems=SYSTEMS,
    recipes=RECIPES,
    additions=ADDITIONS,
    usual="moco",
    opens=opens,
    verbs={
        "pretrain": Verb(options.Pretrain, "twofold.videos.jobs.pretrain:run"),
        "check": Verb(options.Pretrain, "twofold.videos.jobs.check:run"),
        "prepare": Verb(options.Prepare, "twofold.videos.jobs.prepare:run"),
        "evaluate": Verb(options.Evaluate, "twofold.videos.jobs.evaluate:run"),
        "compare": Verb(options.Compare, "twofold.videos.jobs.compare:run"),
        "embed": Verb(options.Embed, "twofold.videos.jobs.embed:run"),
        "export": Verb(options.Export, "twofold.videos.jobs.export:run"),
        "load": Verb(options.Load, "twofold.videos.jobs.load:run"),
    },
    sections="twofold.videos.report.sections:SECTIONS",
    trials="twofold.videos.trials:trials",
    changes="twofold.videos.views.augmentations:listed_of",
)
