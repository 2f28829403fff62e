"""The regularisers of VICReg against loops over images and dimensions, their gradients, their invariances."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.variance import missing_deviation, shared_covariance


def rows(n=7, d=4, seed=0, scale=0.9):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) * scale + 2


def covariance_by_hand(x):
    n, d = x.shape
    means = [sum(x[b, i].item() for b in range(n)) / n for i in range(d)]
    return [
        [sum((x[b, i].item() - means[i]) * (x[b, j].item() - means[j]) for b in range(n)) / (n - 1) for j in range(d)]
        for i in range(d)
    ]


@pytest.mark.parametrize(("wanted", "epsilon"), [(1.0, 1e-4), (0.9, 0.1)])
def test_the_missing_deviation_is_the_loop_of_the_paper(wanted, epsilon):
    x = rows()
    deviations = [math.sqrt(covariance_by_hand(x)[i][i] + epsilon) for i in range(4)]
    assert min(deviations) < wanted < max(deviations)
    expected = sum(max(0.0, wanted - deviation) for deviation in deviations) / 4
    assert missing_deviation(x, wanted, epsilon).item() == pytest.approx(expected, abs=1e-12)


def test_the_shared_covariance_is_the_loop_of_the_paper():
    x = rows()
    found = covariance_by_hand(x)
    expected = sum(found[i][j] ** 2 for i in range(4) for j in range(4) if i != j) / 4
    assert shared_covariance(x).item() == pytest.approx(expected, abs=1e-12)


def test_gradients():
    assert torch.autograd.gradcheck(missing_deviation, (rows(5).requires_grad_(),))
    assert torch.autograd.gradcheck(shared_covariance, (rows(5).requires_grad_(),))


def test_order_and_place_change_nothing():
    x = rows()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    for measure in (missing_deviation, shared_covariance):
        assert_close(measure(x[order]), measure(x))
        assert_close(measure(x - 5), measure(x))
        assert_close(measure(x[:, [2, 0, 3, 1]]), measure(x))
    assert_close(shared_covariance(3 * x), 81 * shared_covariance(x))


def test_spread_that_suffices_costs_nothing_and_constant_rows_have_a_finite_gradient():
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    assert missing_deviation(2 * signs) == 0 and shared_covariance(2 * signs) == 0
    constant = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
    missing = missing_deviation(constant)
    assert missing.item() == pytest.approx(0.99)
    missing.backward()
    assert torch.isfinite(constant.grad).all()
