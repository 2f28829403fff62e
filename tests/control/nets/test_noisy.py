"""Noisy layers and the dueling head (T12)."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from twofold.control.nets.noisy import Dueling, NoisyLinear
from twofold.randomness import generator


def test_t12_sizes_at_the_start():
    layer = NoisyLinear(64, 32, 0.1)
    assert layer.weight.abs().max() <= 1 / 8
    assert layer.bias.abs().max() <= 1 / 8
    assert_close(layer.weight_sigma, torch.full((32, 64), 0.1 / 8))
    assert_close(layer.bias_sigma, torch.full((32,), 0.1 / 32**0.5))


def test_t12_the_noise_is_of_two_vectors_and_absent_in_evaluation():
    layer, x = NoisyLinear(6, 4, 0.5), torch.randn(3, 6, generator=generator(0, "x"))
    layer.resample(generator(0, "noise"))
    assert torch.linalg.matrix_rank(layer.weight_noise) == 1
    noisy, calm = layer.train()(x), layer.eval()(x)
    assert not torch.equal(noisy, calm)
    assert_close(calm, torch.nn.functional.linear(x, layer.weight, layer.bias))
    layer.resample(generator(0, "noise"))
    assert torch.equal(layer.train()(x), noisy)


def test_noise_has_mean_0_and_the_spread_of_its_formula():
    layer = NoisyLinear(200, 200, 0.5)
    drawn = []
    for seed in range(50):
        layer.resample(generator(seed, "noise"))
        drawn.append(layer.weight_noise.clone())
    stacked = torch.stack(drawn)
    assert stacked.mean().abs() < 0.05
    assert abs(stacked.var().item() - 2 / torch.pi) < 0.05  # E|x| of a normal, squared


def test_the_dueling_head_is_value_and_advantage_atom_by_atom():
    head, features = Dueling(5, 8, 3, 4, 0.1).eval(), torch.randn(2, 5, generator=generator(0, "f"))
    value = head.value(head.value_hidden(features).relu())
    advantage = head.advantage(head.advantage_hidden(features).relu()).view(2, 3, 4)
    found = head(features)
    for action in range(3):
        assert_close(found[:, action], value + advantage[:, action] - advantage.mean(1))
    assert_close(found.mean(1), value)
