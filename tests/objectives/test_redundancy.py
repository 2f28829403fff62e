"""The cross-correlation of Barlow Twins against loops over images and dimensions, its gradient, its invariances."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.redundancy import apart_from_identity, cross_correlation, standardise


def rows(n=7, d=4, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) * 3 + 2


def column(x, i):
    values = x[:, i].tolist()
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def by_hand(first, second, epsilon=1e-5):
    n, d = first.shape
    found = torch.empty(d, d, dtype=torch.float64)
    for i in range(d):
        for j in range(d):
            a, b = column(first, i), column(second, j)
            deviations = [math.sqrt(sum(v * v for v in c) / n + epsilon) for c in (a, b)]
            found[i, j] = sum(x * y for x, y in zip(a, b, strict=True)) / n / math.prod(deviations)
    return found


def test_the_correlation_and_its_two_sums_are_the_loops_of_the_paper():
    first, second = rows(seed=1), rows(seed=2)
    expected = by_hand(first, second)
    assert_close(cross_correlation(first, second), expected, rtol=0, atol=1e-12)
    own, others = apart_from_identity(expected)
    pairs = [(i, j) for i in range(4) for j in range(4)]
    assert own.item() == pytest.approx(sum((1 - expected[i, i].item()) ** 2 for i in range(4)), abs=1e-12)
    assert others.item() == pytest.approx(sum(expected[i, j].item() ** 2 for i, j in pairs if i != j), abs=1e-12)


def test_rows_are_standardised_as_batch_norm_does():
    x = rows()
    assert_close(standardise(x), torch.nn.functional.batch_norm(x, None, None, training=True))


def test_gradient():
    def loss(first, second):
        own, others = apart_from_identity(cross_correlation(first, second))
        return own + 0.1 * others

    assert torch.autograd.gradcheck(loss, (rows(5, seed=1).requires_grad_(), rows(5, seed=2).requires_grad_()))


def test_order_place_and_scale_change_nothing():
    first, second = rows(seed=1), rows(seed=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    expected = cross_correlation(first, second)
    assert_close(cross_correlation(first[order], second[order]), expected)
    assert_close(cross_correlation(second, first), expected.T)
    # But for epsilon, each dimension may be moved and stretched.
    assert_close(cross_correlation(1e3 * first + 5, 1e3 * second), by_hand(first, second, 0.0), rtol=0, atol=1e-9)


def test_independent_dimensions_that_agree_have_no_loss_and_constants_have_no_correlation():
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    own, others = apart_from_identity(cross_correlation(signs, signs))
    assert own < 1e-8 and others == 0
    own, others = apart_from_identity(cross_correlation(torch.ones(4, 2), torch.ones(4, 2)))
    assert (own, others) == (2, 0)
