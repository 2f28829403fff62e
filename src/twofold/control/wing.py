"""The front door of the control wing."""

from __future__ import annotations

from twofold.catalog.looking import is_environment, shows_episodes, tells
from twofold.catalog.wing import Verb, Wing
from twofold.control import options
from twofold.control.systems import ADDITIONS, SYSTEMS


def recognises(data: str) -> bool:
    """The id of an environment, or logged episodes."""
    return is_environment(data) or shows_episodes(data)


def opens(model: str) -> bool:
    """An exported encoder of states: its own metadata tell it."""
    return model.endswith(".safetensors") and tells(model, "world")


WING = Wing(
    kind="control",
    example="ALE/Pong-v5",
    recognises=recognises,
    systems=SYSTEMS,
    additions=ADDITIONS,
    usual="rainbow",
    opens=opens,
    verbs={
        "pretrain": Verb(options.Pretrain, "twofold.control.jobs.pretrain:run"),
        "check": Verb(options.Pretrain, "twofold.control.jobs.check:run"),
        "evaluate": Verb(options.Evaluate, "twofold.control.jobs.evaluate:run"),
        "compare": Verb(options.Compare, "twofold.control.jobs.compare:run"),
        "embed": Verb(options.Embed, "twofold.control.jobs.embed:run"),
        "export": Verb(options.Export, "twofold.control.jobs.export:run"),
        "load": Verb(options.Load, "twofold.control.jobs.load:run"),
    },
    sections="twofold.control.report.sections:SECTIONS",
    trials="twofold.control.trials:trials",
)
