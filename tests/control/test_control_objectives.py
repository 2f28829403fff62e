"""The losses of control against float64 by loops, and their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from twofold.control.objectives import bilinear_logits, matched, project, squash, told_apart


def naive_projection(probabilities, gain, discount, support):
    low, high, atoms = support[0], support[-1], len(support)
    step, rows = (high - low) / (atoms - 1), []
    for row, reward, share in zip(probabilities, gain, discount, strict=True):
        target = [0.0] * atoms
        for probability, value in zip(row, support, strict=True):
            place = (min(max(reward + share * value, low), high) - low) / step
            below = math.floor(place)
            target[below] += probability * (1 - (place - below))
            if place > below:
                target[below + 1] += probability * (place - below)
        rows.append(target)
    return rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-12, 12), st.sampled_from([0.0, 0.5, 0.9, 1.0])), min_size=1, max_size=6),
    st.integers(2, 21),
    st.integers(0, 100),
)
def test_the_projection_is_that_of_loops(rows, atoms, seed):
    """T10: the mass, and what lies on an atom, at the ends or beyond them."""
    gain, discount = torch.tensor(rows, dtype=torch.float64).T
    support = torch.linspace(-4, 4, atoms, dtype=torch.float64)
    drawn = torch.rand(len(rows), atoms, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    probabilities = drawn / drawn.sum(1, keepdim=True)
    found = project(probabilities, gain, discount, support)
    wanted = naive_projection(*(t.tolist() for t in (probabilities, gain, discount, support)))
    assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-9)
    assert_close(found.sum(1), torch.ones(len(rows), dtype=torch.float64))
    clamped = (gain[:, None] + discount[:, None] * support).clamp(-4, 4)
    assert_close((found * support).sum(1), (probabilities * clamped).sum(1))  # the mean is kept


@pytest.mark.parametrize("atom", [0, 1, 25, 49, 50])
def test_no_mass_is_lost_on_an_atom(atom):
    """T10: where a return falls right on an atom, all of it stays there."""
    support = torch.linspace(-10, 10, 51)
    probabilities = torch.full((1, 51), 1 / 51)
    found = project(probabilities, support[atom][None], torch.zeros(1), support)
    assert found[0, atom] == pytest.approx(1, abs=1e-5) and found.sum() == pytest.approx(1, abs=1e-5)


def naive_log_probability(mean, log_std, noise):
    total = 0.0
    for m, s, e in zip(mean, log_std, noise, strict=True):
        before = m + math.exp(s) * e
        log_derivative = -2 * (abs(before) + math.log1p(math.exp(-2 * abs(before))) - math.log(2))
        total += -0.5 * e * e - s - 0.5 * math.log(2 * math.pi) - log_derivative
    return total


@pytest.mark.parametrize("mean", [0.0, 0.5, -3.0, 8.0, -8.0, 30.0])
@pytest.mark.parametrize("log_std", [-10.0, 0.0, 2.0])
def test_squashed_gaussians_do_not_saturate(mean, log_std):
    """Note 25: in float32, at a mean of 8 and a deviation of e^-10 as elsewhere."""
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    means, spreads = torch.full((5, 3), mean), torch.full((5, 3), log_std)
    action, found = squash(means, spreads, noise)
    assert found.isfinite().all() and (action.abs() <= 1).all()
    wanted = [naive_log_probability(*rows) for rows in zip(*(t.tolist() for t in (means, spreads, noise)), strict=True)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-3)


def test_the_density_of_squashed_gaussians_has_mass_1():
    """Over a fine grid of actions, by the change of variables."""
    before = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None]
    mean, log_std = torch.full_like(before, 0.3), torch.full_like(before, -0.5)
    action, log_probability = squash(mean, log_std, (before - mean) / log_std.exp())
    assert torch.trapezoid(log_probability.exp(), action[:, 0]).item() == pytest.approx(1, abs=1e-5)


def test_equal_returns_are_no_negatives():
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    negatives = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], dtype=torch.bool)
    wanted = 0.0
    for i in range(4):
        counted = [j for j in range(4) if j == i or negatives[i, j]]
        wanted -= math.log(math.exp(logits[i, i]) / sum(math.exp(logits[i, j]) for j in counted)) / 4
    assert matched(logits, negatives).item() == pytest.approx(wanted)
    assert matched(logits, torch.zeros(4, 4, dtype=torch.bool)).item() == 0
    assert matched(logits).item() == pytest.approx(matched(logits, ~torch.eye(4, dtype=torch.bool)).item())


def test_logits_without_their_maximum():
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(n)) for n, shape in enumerate([(4, 3)] * 2)]
    weight = torch.eye(3)
    found, plain = bilinear_logits(*rows, weight, 0.5), rows[0] @ rows[1].T
    assert_close(found, 0.5 * (plain - plain.max(1, keepdim=True).values))


@pytest.mark.parametrize("squared", [True, False])
def test_told_apart(squared):
    scores, different = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([0.0, 1.0, 1.0])
    p = [1 / (1 + math.exp(-s)) for s in scores.tolist()]
    losses = [
        (a - y) ** 2 if squared else -math.log(a if y else 1 - a) for a, y in zip(p, different.tolist(), strict=True)
    ]
    assert told_apart(scores, different, squared=squared).item() == pytest.approx(sum(losses) / 3)


def double(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def test_gradients():
    noise, negatives = double(3, 2, seed=2).detach(), torch.tensor([[0, 1, 1], [0, 0, 1], [1, 0, 0]], dtype=torch.bool)
    check = torch.autograd.gradcheck
    assert check(lambda mean, spread: squash(mean, spread, noise), (double(3, 2), double(3, 2, seed=1)))
    three = (double(3, 4), double(3, 4, seed=1), double(4, 4, seed=2))
    assert check(lambda z, key, w: matched(bilinear_logits(z, key, w, 0.1)), three)
    assert check(lambda z, key, w: matched(bilinear_logits(z, key, w), negatives), three)
    different = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    for squared in (True, False):
        assert check(lambda scores, squared=squared: told_apart(scores, different, squared=squared), (double(3),))
