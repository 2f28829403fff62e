"""Barlow Twins: its loss from the record, the projector, a pass of its own for each view, what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.barlow_twins import BarlowTwins

from .small import NOW, Tiny, views_of


def run(**settings):
    torch.manual_seed(0)
    method = BarlowTwins(Tiny(), dim=6, **settings).double()
    views = views_of(2)
    views.tensors = [view.double().requires_grad_() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, views, record, method.judge(record)


def test_the_loss_is_the_papers():
    _, views, record, losses = run(redundancy=0.1, scale=0.5)
    z = [record.student[view].projection for view in (0, 1)]
    c = nn.functional.batch_norm(z[0], None, None, training=True).T
    c = c @ nn.functional.batch_norm(z[1], None, None, training=True) / 8
    own = sum((1 - c[i, i]) ** 2 for i in range(6))
    others = sum(c[i, j] ** 2 for i in range(6) for j in range(6) if i != j)
    assert_close(losses.total, 0.5 * (own + 0.1 * others))
    assert_close(losses.scalars, {"invariance": own / 6, "redundancy": others / 6})
    losses.total.backward()
    assert all(view.grad.abs().max() > 0 for view in views.tensors)


def test_compare_gives_every_row_the_loss_of_the_batch():
    _, _, record, losses = run()
    each = record.compare(record.student[0].row, record.student[1].row)
    assert_close(each, losses.total.expand(8))


def test_each_view_has_a_pass_of_its_own():
    method, views, record, _ = run()
    assert_close(method.student(views.tensors[1]).projection, record.student[1].projection)
    assert method.student.backbone.norm.num_batches_tracked == 3


def test_the_projector_has_three_layers_without_offset_and_batch_norm_between():
    projector = BarlowTwins(Tiny(), dim=6, hidden=10).student.projector
    assert [tuple(m.weight.shape) for m in projector if isinstance(m, nn.Linear)] == [(10, 4), (10, 10), (6, 10)]
    assert all(m.bias is None for m in projector if isinstance(m, nn.Linear))
    assert sum(isinstance(m, nn.BatchNorm1d) for m in projector) == 2 and isinstance(projector[-1], nn.Linear)
    assert BarlowTwins(Tiny(), dim=6, layers=2).student.projector[0].weight.shape == (6, 4)


@pytest.mark.parametrize("setting", ["redundancy", "dim", "layers", "scale"])
def test_settings_that_cannot_be_meant(setting):
    with pytest.raises(UserError, match=f"{setting} must be a number above 0"):
        BarlowTwins(Tiny(), **{setting: 0})
