"""Batch norm's statistics over many pictures are the true ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from twofold.errors import UserError
from twofold.images.finetuning.norms import fix_statistics, recalibrate, refuse_one


def test_statistics_are_those_of_all_pictures_whatever_the_batches():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    x = torch.randn(10, 3, 8, 8) * 3 + torch.arange(10.0).view(-1, 1, 1, 1)  # very unlike from picture to picture
    recalibrate(model, [lambda part=part: model(part) for part in x.split([1, 4, 5])])
    seen = model[0](x).double().transpose(0, 1).flatten(1)
    assert torch.allclose(model[1].running_mean.double(), seen.mean(1), atol=1e-5)
    assert torch.allclose(model[1].running_var.double(), seen.var(1), rtol=1e-5)
    assert not model.training


def test_a_layer_that_nothing_came_through_keeps_what_it_has():
    model = nn.ModuleList([nn.BatchNorm1d(2), nn.BatchNorm1d(2)])
    recalibrate(model, [lambda: model[0](torch.tensor([[1.0, 2.0], [3.0, 6.0]]))])
    assert model[0].running_mean.tolist() == [2, 4]
    assert model[1].running_mean.tolist() == [0, 0]


def test_fixed_statistics_do_not_move_while_scale_and_shift_learn():
    model = nn.BatchNorm2d(2).train()
    fix_statistics(model)
    model(torch.randn(4, 2, 3, 3) + 5).sum().backward()
    assert model.running_mean.tolist() == [0, 0]
    assert model.weight.grad is not None


def test_a_batch_of_one_is_refused_where_batch_norm_would_fail():
    with pytest.raises(UserError, match="fcn cannot learn from batches of 1"):
        refuse_one("fcn", 1, nn.BatchNorm2d(2))
    refuse_one("fcn", 2, nn.BatchNorm2d(2))
    refuse_one("fcn", 1, nn.Conv2d(1, 1, 1))
