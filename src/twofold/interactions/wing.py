"""The front door of the interactions wing."""

from __future__ import annotations

import os

from twofold.catalog import options as shared
from twofold.catalog.wing import Verb, Wing
from twofold.interactions import options
from twofold.interactions.systems import SYSTEMS

TABLES = (".csv", ".tsv", ".inter", ".csv.gz", ".tsv.gz")
PARTS = ("train.csv", "train.tsv", "train.txt", "train.inter", "train.txt.gz", "train.csv.gz", "train.tsv.gz")


def recognises(data: str) -> bool:
    """A table of text, or a folder that holds the training part of one."""
    if data.lower().endswith(TABLES):
        return True
    return any(os.path.isfile(os.path.join(data, part)) for part in PARTS)


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
    },
    sections="twofold.interactions.report.sections:SECTIONS",
)
