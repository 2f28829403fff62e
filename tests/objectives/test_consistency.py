"""The distributions of CO2 and their divergence against loops, a gradient check, any order of rows."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.consistency import similarity_distribution, symmetric_divergence


def rows(n, d=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, d, generator=drawn, dtype=torch.float64), dim=1)


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_similarity_distribution_is_a_softmax_over_the_right_entries(positive, own):
    q, n, t = rows(3), rows(3, seed=1), 0.5
    left_out = torch.tensor([0, 1, 2]) if own else None
    extra = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64) if positive else None
    ours = similarity_distribution(q, n, t, extra, left_out).exp()
    for b in range(3):
        logits = [extra[b].item()] if positive else []
        logits += [dot(q[b], n[j]) for j in range(3) if not (own and j == b)]
        total = sum(math.exp(x / t) for x in logits)
        assert ours[b].tolist() == pytest.approx([math.exp(x / t) / total for x in logits], abs=1e-12)


def test_symmetric_divergence_is_both_divergences():
    p, q = (torch.randn(3, 4, dtype=torch.float64).log_softmax(1) for _ in range(2))
    both = F.kl_div(q, p, reduction="none", log_target=True) + F.kl_div(p, q, reduction="none", log_target=True)
    assert_close(symmetric_divergence(p, q), both.sum(1) / 2)
    assert_close(symmetric_divergence(p, p), torch.zeros(3, dtype=torch.float64))


def divergence(a, b):
    sides = (similarity_distribution(x, rows(6, seed=9), 0.1, (a * b).sum(1)) for x in (a, b))
    return symmetric_divergence(*sides)


def test_gradient_and_order():
    a, b, order = rows(4).requires_grad_(), rows(4, seed=1).requires_grad_(), torch.tensor([2, 0, 3, 1])
    assert torch.autograd.gradcheck(divergence, (a, b))
    assert_close(divergence(a, b)[order], divergence(a[order], b[order]))
