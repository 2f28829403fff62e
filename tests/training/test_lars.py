"""LARS against the formula written out for one tensor at a time."""

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.training.lars import LARS, trust_ratios


def written_out(w, gradients, lr, momentum, decay, eta, adapt):
    v = [0.0] * len(w)
    for gradient in gradients:
        g = [gi + decay * wi for gi, wi in zip(gradient, w, strict=True)]
        own, theirs = math.sqrt(sum(x * x for x in w)), math.sqrt(sum(x * x for x in g))
        trust = eta * own / theirs if adapt and own > 0 and theirs > 0 else 1.0
        v = [momentum * vi + lr * trust * gi for vi, gi in zip(v, g, strict=True)]
        w = [wi - vi for wi, vi in zip(w, v, strict=True)]
    return w


@pytest.mark.parametrize(("adapt", "decay"), [(True, 0.1), (True, 0.0), (False, 0.0)])
@pytest.mark.parametrize("start", [[0.5, -2.0, 1.0], [0.0, 0.0, 0.0]])
def test_equals_the_formula(start, adapt, decay):
    gradients = [[0.3, -0.1, 2.0], [0.0, 0.0, 0.0], [-1.0, 0.5, 0.25]]
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    group = {"params": [weight], "adapt": adapt, "weight_decay": decay}
    optimizer = LARS([group], 0.3, momentum=0.9, eta=0.02)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    expected = written_out(start, gradients, 0.3, 0.9, decay, 0.02, adapt)
    assert_close(weight.detach(), torch.tensor(expected, dtype=torch.float64))


def test_parameters_without_gradient_stay():
    still, moved = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    optimizer = LARS([still, moved], 0.1)
    moved.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.equal(still.detach(), torch.ones(2, 2))
    assert not torch.equal(moved.detach(), torch.ones(2, 2))


def test_trust_is_one_where_a_norm_is_zero():
    zero, one = torch.zeros(3), torch.ones(3)
    ratios = trust_ratios([zero, one, one], [one, zero, 2 * one], 0.01)
    assert_close(ratios, torch.tensor([1.0, 1.0, 0.005]))


def test_velocity_is_in_the_state_dict():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = LARS([weight], 0.1)
    weight.grad = torch.full((2, 2), 3.0)
    optimizer.step()
    again = LARS([torch.nn.Parameter(torch.ones(2, 2))], 0.1)
    again.load_state_dict(optimizer.state_dict())
    assert_close(next(iter(again.state.values()))["velocity"], optimizer.state[weight]["velocity"])
