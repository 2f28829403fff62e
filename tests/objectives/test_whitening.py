"""Whitening against a naive inverse, its gradient, its invariances, and rows that cannot be whitened."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.whitening import whiten, whiten_in_groups


def rows(n=12, d=3, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=drawn, dtype=torch.float64)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) @ mixing + 2


def by_hand(x, epsilon):
    """L^-1 (x - mean), with L found entry by entry (Cholesky-Banachiewicz) and the triangle solved row by row."""
    n, d = x.shape
    mean = [sum(x[k, a].item() for k in range(n)) / n for a in range(d)]
    centred = [[x[k, a].item() - mean[a] for a in range(d)] for k in range(n)]
    cov = [[sum(r[a] * r[b] for r in centred) / (n - 1) for b in range(d)] for a in range(d)]
    cov = [[(1 - epsilon) * cov[a][b] + epsilon * (a == b) for b in range(d)] for a in range(d)]
    lower = [[0.0] * d for _ in range(d)]
    for a in range(d):
        for b in range(a + 1):
            rest = cov[a][b] - sum(lower[a][k] * lower[b][k] for k in range(b))
            lower[a][b] = math.sqrt(rest) if a == b else rest / lower[b][b]
    white = []
    for r in centred:
        z = []
        for a in range(d):
            z.append((r[a] - sum(lower[a][k] * z[k] for k in range(a))) / lower[a][a])
        white.append(z)
    return torch.tensor(white, dtype=torch.float64)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_is_the_inverse_factor_found_by_hand(epsilon):
    x = rows()
    white, used = whiten(x, epsilon)
    assert_close(white, by_hand(x, epsilon), rtol=0, atol=1e-10)
    assert used.item() == pytest.approx(epsilon)


def test_gradient():
    assert torch.autograd.gradcheck(lambda x: whiten(x)[0], rows(8).requires_grad_())


def test_moving_and_turning_triangularly_changes_nothing():
    x = rows()
    turn = torch.tensor([[2.0, 0, 0], [1, 0.5, 0], [-1, 3, 1]], dtype=torch.float64)
    assert_close(whiten(x @ turn.T + 5)[0], whiten(x)[0], rtol=0, atol=1e-9)


def test_each_group_is_whitened_alone_and_rows_keep_their_places():
    x = rows(12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    both = torch.stack([order, torch.arange(12)])
    white, _ = whiten_in_groups(x, both, 6)
    for n, each in enumerate(both):
        for group in each.split(6):
            assert_close(white[n, group], whiten(x[group])[0])
            assert_close(torch.cov(white[n, group].T), torch.eye(3, dtype=torch.float64))


def test_rows_without_spread_are_retried_with_the_next_epsilon():
    x = rows()
    x[:, 2] = 1.0
    white, used = whiten(x)
    assert used.item() == pytest.approx(1e-6) and torch.isfinite(white).all()
    assert_close(white, whiten(x, used.item())[0])
    constant, used = whiten(torch.ones(6, 3, dtype=torch.float64))
    assert used.item() > 0 and torch.equal(constant, torch.zeros(6, 3, dtype=torch.float64))


def test_rows_that_are_not_finite_come_back_so():
    x = rows()
    x[0, 0] = math.nan
    assert whiten(x)[0].isnan().any()
