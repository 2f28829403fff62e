"""The front door of the toy wing."""

from __future__ import annotations

from tests.toy import options
from tests.toy.systems import RECIPES, SYSTEMS
from twofold.catalog.wing import Verb, Wing

WING = Wing(
    kind="numbers",
    example="made-up.nums",
    recognises=lambda data: data.endswith(".nums"),
    systems=SYSTEMS,
    recipes=RECIPES,
    usual="restore",
    verbs={"pretrain": Verb(options.Pretrain, "tests.toy.jobs:pretrain")},
    sections="tests.toy.sections:SECTIONS",
)
