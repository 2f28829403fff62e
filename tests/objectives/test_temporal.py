"""The temporal loss against naive loops, its gradient, and the part that a process has of it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.temporal import temporal_nce, weighted


def rows(*shape, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=drawn, dtype=torch.float64), dim=-1)


def test_each_row_picks_its_own_among_what_each_teacher_says():
    z, said, t = rows(4, 5), rows(3, 4, 5, seed=1), 0.3
    found = temporal_nce(z, said, t)
    for n in range(3):
        for b in range(4):
            shares = [math.exp((z[b] @ said[n, k]).item() / t) for k in range(4)]
            assert found[n, b].item() == pytest.approx(-math.log(shares[b] / sum(shares)), abs=1e-12)


def test_a_process_has_its_rows_of_the_whole():
    z, said = rows(6, 5), rows(2, 6, 5, seed=1)
    assert_close(temporal_nce(z[2:4], said, 0.2, offset=2), temporal_nce(z, said, 0.2)[:, 2:4])


def test_weights_and_their_entropy():
    losses, logits, bonus = torch.rand(3, 4, dtype=torch.float64), rows(3, 4, seed=2), 0.1
    log_importance = logits.log_softmax(0)
    found = weighted(losses, log_importance, bonus)
    for b in range(4):
        w = [math.exp(v) for v in log_importance[:, b].tolist()]
        entropy = -sum(x * math.log(x) for x in w)
        expected = sum(x * y for x, y in zip(w, losses[:, b].tolist(), strict=True)) - bonus * entropy
        assert found[b].item() == pytest.approx(expected, abs=1e-12)


def test_gradients():
    z, said, logits = rows(3, 4).requires_grad_(), rows(2, 3, 4, seed=1).requires_grad_(), rows(2, 3).requires_grad_()

    def loss(z, said, logits):
        return weighted(temporal_nce(z, said, 0.5), logits.log_softmax(0), 0.1).sum()

    assert torch.autograd.gradcheck(loss, (z, said, logits))
