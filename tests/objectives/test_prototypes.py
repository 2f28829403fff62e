"""Codes against Sinkhorn-Knopp in loops; what a teacher says, and how far a guess is from it, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.prototypes import cross_entropy, entropy, sharpened, sinkhorn


def softmax(values):
    exps = [math.exp(value) for value in values]
    return [value / sum(exps) for value in exps]


def by_hand(scores, epsilon, iterations):
    """Sinkhorn-Knopp as in the paper, on a table of prototypes by images that sums to 1."""
    images, prototypes = len(scores), len(scores[0])
    q = [[math.exp(scores[b][k] / epsilon) for b in range(images)] for k in range(prototypes)]
    whole = sum(map(sum, q))
    q = [[value / whole for value in row] for row in q]
    for _ in range(iterations):
        q = [[value / sum(row) / prototypes for value in row] for row in q]
        columns = [sum(row[b] for row in q) for b in range(images)]
        q = [[value / columns[b] / images for b, value in enumerate(row)] for row in q]
    return torch.tensor([[q[k][b] * images for k in range(prototypes)] for b in range(images)], dtype=torch.float64)


def drawn_cosines(n=7, k=4):
    drawn = torch.Generator().manual_seed(1)
    return torch.rand(n, k, generator=drawn, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 3), (0.5, 1), (0.2, 10)])
def test_codes_are_the_loops(epsilon, iterations):
    scores = drawn_cosines()
    assert_close(sinkhorn(scores, epsilon, iterations), by_hand(scores.tolist(), epsilon, iterations))
    assert not sinkhorn(scores.requires_grad_(), epsilon).requires_grad


def test_codes_use_all_prototypes_alike_and_do_not_depend_on_the_order():
    scores = drawn_cosines(12, 3)
    codes = sinkhorn(scores, 0.3, 300)
    assert_close(codes.sum(1), torch.ones(12, dtype=torch.float64))
    assert_close(codes.sum(0), torch.full((3,), 4.0, dtype=torch.float64))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    assert_close(sinkhorn(scores[order]), sinkhorn(scores)[order])
    assert torch.isfinite(sinkhorn(scores.float())).all()


def test_guesses_are_compared_as_in_the_loop_and_have_its_gradient():
    drawn = torch.Generator().manual_seed(1)
    logits, guess = torch.randn(2, 4, 5, generator=drawn, dtype=torch.float64)
    center = torch.randn(5, generator=drawn, dtype=torch.float64)
    targets, logs = sharpened(logits, center, 0.5), (guess / 0.3).log_softmax(1)
    for b in range(4):
        expected = softmax([(x - c) / 0.5 for x, c in zip(logits[b].tolist(), center.tolist(), strict=True)])
        assert targets[b].tolist() == pytest.approx(expected)
        guessed = softmax([x / 0.3 for x in guess[b].tolist()])
        value = -sum(t * math.log(g) for t, g in zip(expected, guessed, strict=True))
        assert cross_entropy(targets, logs)[b].item() == pytest.approx(value, abs=1e-12)
        assert entropy(targets)[b].item() == pytest.approx(-sum(t * math.log(t) for t in expected))
    assert entropy(torch.eye(3)).tolist() == [0, 0, 0]
    given = (guess.requires_grad_(),)
    assert torch.autograd.gradcheck(lambda g: cross_entropy(targets, g.log_softmax(1)), given)
