"""SimSiam: its widths, the target without gradient, the predictor that keeps its rate."""

from __future__ import annotations

import pytest
import torch

from twofold.errors import UserError
from twofold.methods.simsiam import SimSiam

from .small import NOW, Tiny, views_of


def test_the_target_is_the_students_projection_without_gradient():
    method = SimSiam(Tiny(), dim=8)
    record = method.observe(views_of(2), NOW)
    for view, target in record.teacher.items():
        assert torch.equal(target.row, record.student[view].projection)
        assert target.prediction is None and not target.row.requires_grad


def test_widths_follow_the_backbone_and_the_predictor_may_keep_its_rate():
    method = SimSiam(Tiny())
    assert method.dim == 512 and method.student.predictor[0].out_features == 128
    assert list(method.constant_rate()) == list(method.student.predictor.parameters())
    assert list(SimSiam(Tiny(), fix_predictor_rate=False).constant_rate()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 0}, "layers must be a number above 0"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        SimSiam(Tiny(), **settings)
    assert message in str(caught.value)
