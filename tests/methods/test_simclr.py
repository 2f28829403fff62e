"""SimCLR: one pass over both views, the loss of the record, settings that cannot be meant."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from twofold.errors import UserError
from twofold.methods.simclr import SimCLR
from twofold.objectives.contrastive import nt_xent

from .small import NOW, Tiny, views_of


def test_both_views_share_a_pass_and_its_batch_statistics():
    torch.manual_seed(0)
    method, views = SimCLR(Tiny(), dim=6, temperature=0.3).double(), views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    assert method.backbone.norm.num_batches_tracked == 1 and record.teacher is record.student
    first, second = (F.normalize(record.student[i].projection, dim=1) for i in (0, 1))
    expected = nt_xent(first, second, torch.cat([first, second]), 0, 0.3).mean()
    torch.testing.assert_close(method.judge(record).total, expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be a number above 0, not 0.0"),
        ({"layers": 0}, "layers must be a number above 0"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        SimCLR(Tiny(), **settings)
    assert message in str(caught.value)
