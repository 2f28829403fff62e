"""The losses of control against naive loops in float64, and their gradients (T10, field note 25)."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.control.objectives import bilinear_logits, matched, project, squash, told_apart
from twofold.randomness import generator


def naive_projection(probabilities, gain, discount, support):
    """Algorithm 1 of Bellemare et al., one atom at a time."""
    low, high, atoms = support[0].item(), support[-1].item(), len(support)
    step = (high - low) / (atoms - 1)
    target = torch.zeros_like(probabilities)
    for b in range(len(probabilities)):
        for j in range(atoms):
            value = min(max(gain[b].item() + discount[b].item() * support[j].item(), low), high)
            place = (value - low) / step
            below, above = math.floor(place), math.ceil(place)
            if below == above:
                target[b, below] += probabilities[b, j]
            else:
                target[b, below] += probabilities[b, j] * (above - place)
                target[b, above] += probabilities[b, j] * (place - below)
    return target


@pytest.mark.parametrize("atoms", [2, 5, 51])
def test_t10_the_projection_is_that_of_a_loop(atoms):
    draws = generator(0, "projection", atoms)
    support = torch.linspace(-3, 3, atoms, dtype=torch.float64)
    probabilities = torch.rand(12, atoms, generator=draws, dtype=torch.float64).softmax(1)
    gain = torch.randn(12, generator=draws, dtype=torch.float64) * 2
    gain[:4] = torch.tensor([0.0, 3.0, -3.0, 100.0])  # on atoms, at the ends, beyond
    discount = torch.full((12,), 0.9, dtype=torch.float64)
    discount[2:6] = 0
    discount[0] = 1
    found = project(probabilities, gain, discount, support)
    assert_close(found, naive_projection(probabilities, gain, discount, support), rtol=0, atol=1e-9)
    assert_close(found.sum(1), torch.ones(12, dtype=torch.float64))


def test_t10_the_mean_is_kept_within_the_support():
    support = torch.linspace(-10, 10, 51, dtype=torch.float64)
    probabilities = torch.rand(6, 51, generator=generator(0, "mean"), dtype=torch.float64).softmax(1)
    gain, discount = torch.linspace(-0.3, 0.3, 6, dtype=torch.float64), torch.full((6,), 0.9, dtype=torch.float64)
    wanted = gain + discount * (probabilities * support).sum(1)
    assert_close((project(probabilities, gain, discount, support) * support).sum(1), wanted)


def test_a_saturated_action_has_its_true_probability():
    """Field note 25: mean 8 and a tiny spread, against float64 arithmetic."""
    mean, log_std, noise = torch.full((1, 1), 8.0), torch.full((1, 1), -10.0), torch.full((1, 1), 0.5)
    _, found = squash(mean, log_std, noise)
    before = 8.0 + 0.5 * math.exp(-10)
    gaussian = -0.125 + 10 - 0.5 * math.log(2 * math.pi)
    room = math.log(4) - 2 * before - 2 * math.log1p(math.exp(-2 * before))  # log(1 - tanh(u)^2)
    assert_close(found.double(), torch.tensor([gaussian - room], dtype=torch.float64), rtol=0, atol=1e-3)


def test_a_squashed_gaussian_is_a_density():
    grid = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    mean, log_std = torch.full((1, 1), 0.3, dtype=torch.float64), torch.full((1, 1), -0.4, dtype=torch.float64)
    action, log_probability = squash(mean.expand(len(grid), 1), log_std.expand(len(grid), 1), grid[:, None])
    order = action[:, 0].argsort()
    assert torch.trapezoid(log_probability.exp()[order], action[order, 0]).item() == pytest.approx(1, abs=1e-4)


def test_masked_columns_do_not_count():
    logits = torch.randn(4, 4, generator=generator(0, "logits"), dtype=torch.float64)
    negatives = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 1], [1, 0, 1, 0]], dtype=torch.bool)
    naive = []
    for row in range(4):
        counted = [row, *(j for j in range(4) if j != row and negatives[row, j])]
        naive.append(-(logits[row, row] - logits[row, counted].logsumexp(0)))
    assert_close(matched(logits, negatives), torch.stack(naive).mean())
    assert_close(matched(logits), torch.nn.functional.cross_entropy(logits, torch.arange(4)))


def test_gradients_are_those_of_differences():
    draws = generator(0, "gradients")
    sizes = ((4, 3), (4, 3), (3, 3))
    z, key, weight = (torch.randn(*size, generator=draws, dtype=torch.float64).requires_grad_() for size in sizes)
    assert torch.autograd.gradcheck(lambda *a: matched(bilinear_logits(*a)), (z, key, weight))
    scores = torch.randn(6, generator=draws, dtype=torch.float64, requires_grad=True)
    different = torch.tensor([0, 1, 0, 1, 1, 0], dtype=torch.float64)
    for squared in (True, False):
        assert torch.autograd.gradcheck(lambda s, squared=squared: told_apart(s, different, squared=squared), (scores,))
    mean, log_std = (torch.randn(3, 2, generator=draws, dtype=torch.float64, requires_grad=True) for _ in range(2))
    noise = torch.randn(3, 2, generator=draws, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m, s: squash(m, s, noise), (mean, log_std))


def test_t5_the_fixed_point_of_z_learning():
    """Four pairs of state and action, whose returns fall into three bins with known probabilities: what is learned is
    how likely two returns differ, 1 - sum p q."""
    draws = generator(0, "z-learning")
    p = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.0, 0.5, 0.5]])
    scores = torch.zeros(4, 4, requires_grad=True)
    optimizer = torch.optim.Adam([scores], 0.05)
    for step in range(1500):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 1500)
        one, other = (torch.randint(4, (4096,), generator=draws) for _ in range(2))
        drawn = [torch.multinomial(p, 4096, replacement=True, generator=draws) for _ in range(2)]
        bins = [table[at, torch.arange(4096)] for table, at in zip(drawn, (one, other), strict=True)]
        loss = told_apart(scores[one, other], (bins[0] != bins[1]).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_close(scores.detach().sigmoid(), 1 - p @ p.T, rtol=0, atol=0.03)
