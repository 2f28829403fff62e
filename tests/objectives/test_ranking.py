"""Ranking losses against naive loops; the contrast in chunks, its gradient, and extreme temperatures."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.ranking import bpr, contrast, half_squares


def rows(n, d=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, d, generator=drawn, dtype=torch.float64), dim=1)


def test_bpr_is_the_log_of_the_sigmoid_and_never_overflows():
    positive, negative = torch.tensor([0.5, -2.0, 900.0, -900.0]).double(), torch.tensor([0.1, 1.0, 0.0, 0.0]).double()
    found = bpr(positive, negative)
    for x, value in zip((positive - negative)[:2].tolist(), found[:2].tolist(), strict=True):
        assert value == pytest.approx(-math.log(1 / (1 + math.exp(-x))), abs=1e-12)
    assert found[2:].tolist() == pytest.approx([0.0, 900.0])


def test_half_squares():
    a, b = rows(3), 2 * rows(3, seed=1)
    assert half_squares(a, b).tolist() == pytest.approx([0.5 + 2.0] * 3)


@pytest.mark.parametrize("memory", [1, 30, 10**6])
def test_contrast_is_the_loop_in_chunks_of_any_size(memory):
    first, second, t = rows(6), rows(6, seed=1), 0.3
    chosen = torch.tensor([4, 1, 1, 5])
    found = contrast(first[chosen], second[chosen], second, t, memory)
    for b, node in enumerate(chosen.tolist()):
        shares = [math.exp((first[node] @ second[k]).item() / t) for k in range(6)]
        assert found[b].item() == pytest.approx(-math.log(shares[node] / sum(shares)), abs=1e-12)


@pytest.mark.parametrize("memory", [1, 10**6])
def test_gradients(memory):
    first, second = rows(4).requires_grad_(), rows(5, seed=1).requires_grad_()

    def loss(first, second):
        return contrast(first[:3], second[:3], second, 0.4, memory)

    assert torch.autograd.gradcheck(loss, (first, second))


def test_a_small_temperature_does_not_overflow():
    first, second = rows(6).float().requires_grad_(), rows(6, seed=1).float()
    loss = contrast(first, second, second, 0.001).mean()
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(first.grad).all()


def test_order_of_candidates_does_not_matter():
    first, second = rows(6), rows(6, seed=1)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(2))
    assert_close(contrast(first, second, second[order], 0.2), contrast(first, second, second, 0.2))
