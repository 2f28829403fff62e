"""VICReg: its loss from the record, the projector, a pass of its own for each view, what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.vicreg import VICReg

from .small import NOW, Tiny, views_of


def run(**settings):
    torch.manual_seed(0)
    method = VICReg(Tiny(), dim=6, **settings).double()
    views = views_of(2)
    views.tensors = [view.double().requires_grad_() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, views, record, method.judge(record)


def test_the_loss_is_the_papers_with_half_its_variance():
    _, views, record, losses = run(invariance=3.0, variance=5.0, covariance=7.0, deviation=0.5, epsilon=1e-3)
    z = [record.student[view].projection for view in (0, 1)]
    apart = sum((z[0][b, i] - z[1][b, i]) ** 2 for b in range(8) for i in range(6)) / 48
    missing, shared = 0, 0
    for rows in z:
        covariance = torch.cov(rows.T)
        missing = missing + sum((0.5 - (covariance[i, i] + 1e-3).sqrt()).clamp_min(0) for i in range(6)) / 6 / 2
        shared = shared + sum(covariance[i, j] ** 2 for i in range(6) for j in range(6) if i != j) / 6
    assert min(missing, shared) > 1e-6
    assert_close(losses.total, 3 * apart + 5 * missing + 7 * shared)
    assert_close(losses.scalars, {"invariance": apart, "variance": missing, "covariance": shared})
    losses.total.backward()
    assert all(view.grad.abs().max() > 0 for view in views.tensors)


def test_compare_has_each_rows_own_difference_and_its_mean_is_the_loss():
    _, _, record, losses = run()
    first, second = record.student[0].row, record.student[1].row
    each = record.compare(first, second)
    assert_close(each.mean(), losses.total)
    assert_close(each - each[0], 25 * ((first - second) ** 2).mean(1) - 25 * ((first - second) ** 2).mean(1)[0])


def test_each_view_has_a_pass_of_its_own():
    method, views, record, _ = run()
    assert_close(method.student(views.tensors[1]).projection, record.student[1].projection)
    assert method.student.backbone.norm.num_batches_tracked == 3


def test_the_projector_has_three_layers_and_only_the_last_has_no_offset():
    projector = VICReg(Tiny(), dim=6, hidden=10).student.projector
    linear = [m for m in projector if isinstance(m, nn.Linear)]
    assert [tuple(m.weight.shape) for m in linear] == [(10, 4), (10, 10), (6, 10)]
    assert [m.bias is None for m in linear] == [False, False, True] and linear[-1] is projector[-1]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in projector) == 2
    assert VICReg(Tiny(), dim=6, layers=2).student.projector[0].weight.shape == (6, 4)


@pytest.mark.parametrize(
    "setting", ["invariance", "variance", "covariance", "deviation", "epsilon", "dim", "hidden", "layers"]
)
def test_settings_that_cannot_be_meant(setting):
    with pytest.raises(UserError, match=f"{setting} must be a number above 0"):
        VICReg(Tiny(), **{setting: -1})
