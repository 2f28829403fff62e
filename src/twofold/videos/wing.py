"""The front door of the videos wing."""

from __future__ import annotations

from twofold.catalog.looking import VIDEOS, shows
from twofold.catalog.wing import Verb, Wing
from twofold.videos import options
from twofold.videos.systems import ADDITIONS, RECIPES, SYSTEMS


def recognises(data: str) -> bool:
    """A video, or a folder, tar or list in which some are seen."""
    return shows(data, VIDEOS)


WING = Wing(
    kind="videos",
    example="clips/",
    recognises=recognises,
    systems=SYSTEMS,
    recipes=RECIPES,
    additions=ADDITIONS,
    usual="moco",
    verbs={"pretrain": Verb(options.Pretrain, "twofold.videos.jobs.pretrain:run")},
    sections="twofold.videos.report.sections:SECTIONS",
)
