"""BYOL: the teacher follows along a cosine after the step, or starts by itself; settings that cannot be meant."""

from __future__ import annotations

import pytest
import torch

from twofold.errors import UserError
from twofold.methods.byol import BYOL, teacher_momentum
from twofold.seam import Progress

from .small import Tiny, views_of


def test_the_teacher_follows_after_the_step_along_a_cosine():
    torch.manual_seed(0)
    method = BYOL(Tiny(), hidden=12, dim=6, momentum=0.9, target_init="random")
    assert not torch.equal(method.teacher.backbone.conv.weight, method.student.backbone.conv.weight)
    for step in (0, 5, 10):
        now = Progress(step, 10)
        before = method.teacher.projector[0].weight.clone()
        method(views_of(2), now)
        assert torch.equal(method.teacher.projector[0].weight, before)
        method.after_step(now)
        kept = teacher_momentum(0.9, step / 10)
        expected = kept * before + (1 - kept) * method.student.projector[0].weight
        torch.testing.assert_close(method.teacher.projector[0].weight, expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 0}, "dim must be a number above 0"),
        ({"momentum": -0.1}, "momentum must lie between 0 and 1"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        BYOL(Tiny(), **settings)
    assert message in str(caught.value)
