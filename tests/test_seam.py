"""What the loop asks of a method: defaults for all of it, and what a class of somebody's own lacks."""

from __future__ import annotations

import torch
from torch import nn

from twofold.interactions.jobs.index_stream import IndexStream
from twofold.methods.addition import Addition
from twofold.methods.build import missing_from
from twofold.methods.simclr import SimCLR
from twofold.seam import Method, Monitor, Progress, Situation

from .tiny import Net

HERE = Situation(100, 10)


class Own(Method):
    """As little as a method may say."""

    view_count = 1

    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)


def test_a_method_of_another_shape_takes_the_defaults():
    own = Own()
    own.before_step(Progress(0, 1))
    own.after_step(Progress(0, 1))
    own.check(HERE)
    assert own.batch_norm == "global" and list(own.constant_rate()) == []
    assert list(own.compiled_networks()) == [own.backbone]
    assert own.notes(HERE) == own.alarms({"loss": 1.0}) == own.collapse_causes() == []
    assert Own.fit_to(HERE, {"dim": 3}) == Addition.fit_to(HERE, {"dim": 3}) == {}
    assert list(own.state_dict()) == ["backbone.weight", "backbone.bias"]


def test_what_a_method_lacks_is_named():
    assert missing_from(Own()) == missing_from(SimCLR(Net(), dim=6)) == []

    class Without(Method):
        pass

    assert missing_from(Without()) == ["backbone", "view_count"]
    lacking = missing_from(nn.Linear(1, 1))
    assert {"after_step", "alarms", "backbone", "constant_rate", "fit_to", "check"} <= set(lacking)
    assert "forward" not in lacking and not any(name.startswith("_") for name in lacking)


def test_an_addition_may_refuse_the_data():
    class Refusing(Addition):
        def check(self, situation):
            self.seen = situation

    addition = Refusing()
    SimCLR(Net(), dim=6, additions=[addition]).check(HERE)
    assert addition.seen == HERE


def test_data_without_files_and_monitors_without_an_end_say_so():
    class Measuring(Monitor):
        every_epochs = 1

        def __call__(self, method, progress):
            return {}

    assert Measuring().enough is False
    stream = IndexStream(5)
    assert (stream.unreadable, stream.waited, len(stream)) == ({}, 0.0, 5)
    assert [batch.index.tolist() for batch in stream.stream([torch.tensor([3, 1])])] == [[3, 1]]
