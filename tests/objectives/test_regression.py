"""Regressions are cosines, by hand; gradient checks, any order of rows, any scale."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.regression import negative_cosine, normalised_squared_error

LOSSES = (negative_cosine, normalised_squared_error)


def rows(n, d=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, d, generator=drawn, dtype=torch.float64), dim=1)


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def test_regressions_are_cosines():
    p, z = 3 * rows(4), 0.1 * rows(4, seed=1)
    for b in range(4):
        cosine = dot(p[b], z[b]) / math.sqrt(dot(p[b], p[b]) * dot(z[b], z[b]))
        assert negative_cosine(p, z)[b].item() == pytest.approx(-cosine, abs=1e-12)
        assert normalised_squared_error(p, z)[b].item() == pytest.approx(2 - 2 * cosine, abs=1e-12)
    assert_close(normalised_squared_error(p, z), (F.normalize(p) - F.normalize(z)).square().sum(1))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_order_and_scale(loss):
    a, b, order = rows(4).requires_grad_(), rows(4, seed=1).requires_grad_(), torch.tensor([2, 0, 3, 1])
    assert torch.autograd.gradcheck(loss, (a, b))
    assert_close(loss(a, b)[order], loss(a[order], b[order]))
    assert_close(loss(7 * a, 0.01 * b), loss(a, b))
