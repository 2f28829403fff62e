"""The front door of the interactions wing."""

from __future__ import annotations

import os

from twofold.catalog import options as shared
from twofold.catalog.wing import Verb, Wing
from twofold.interactions import options
from twofold.interactions.systems import SYSTEMS
from twofold.parts import WORDS

TABLES = (".csv", ".tsv", ".inter", ".csv.gz", ".tsv.gz")
PARTS = (*TABLES, ".txt", ".txt.gz")


def recognises(data: str) -> bool:
    """A table of text, or a folder that holds the training part of one, also in its folder `data` where that holds no
    folders."""
    inner = os.path.join(data, "data")
    if data.lower().endswith(TABLES) or _train_among(_names(data)):
        return True
    return _train_among(_names(inner)) and not any(os.path.isdir(os.path.join(inner, n)) for n in _names(inner))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):  # nothing there, or no name that a file could have
        return []


def _train_among(names: list[str]) -> bool:
    stems = (name.lower().removesuffix(".gz").rpartition(".")[0] for name in names if name.lower().endswith(PARTS))
    return any(WORDS.get(stem) == "train" for stem in stems)


WING = Wing(
    kind="interactions",
    example="plays.csv",
    recognises=recognises,
    systems=SYSTEMS,
    usual="sgl",
    verbs={
        "pretrain": Verb(options.Pretrain, "twofold.interactions.jobs.pretrain:run"),
        "check": Verb(options.Pretrain, "twofold.interactions.jobs.check:run"),
        "evaluate": Verb(options.Evaluate, "twofold.interactions.jobs.evaluate:run"),
        "compare": Verb(options.Compare, "twofold.interactions.jobs.compare:run"),
        "recommend": Verb(options.Recommend, "twofold.interactions.jobs.recommend:recommend"),
        "similar": Verb(options.Similar, "twofold.interactions.jobs.recommend:similar"),
        "embed": Verb(shared.Embed, "twofold.interactions.jobs.embed:run"),
        "export": Verb(options.Export, "twofold.interactions.jobs.export:run"),
        "load": Verb(options.Load, "twofold.interactions.jobs.load:run"),
    },
    sections="twofold.interactions.report.sections:SECTIONS",
    trials="twofold.interactions.trials:trials",
)
