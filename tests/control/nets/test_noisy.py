"""Noisy layers, and the dueling head over them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.control.nets.noisy import Dueling, NoisyLinear
from twofold.randomness import generator


def test_noisy_layers_begin_as_the_paper_says():
    """T12: sigma 0.1 over the root of the inputs, of the outputs for biases; mu within one over the root of the
    inputs."""
    layer = NoisyLinear(400, 25, 0.1)
    assert_close(layer.weight_sigma.detach(), torch.full((25, 400), 0.1 / 20))
    assert_close(layer.bias_sigma.detach(), torch.full((25,), 0.1 / 5))
    for mu in (layer.weight, layer.bias):
        assert mu.abs().max() <= 1 / 20
    assert layer.weight.std().item() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.03)


def test_noise_is_factorised_and_scaled():
    """T12: f(a) f(b) of two vectors, f(x) = sign(x) sqrt|x|, of which the outputs' is the noise of the biases."""
    layer = NoisyLinear(6, 4, 0.1)
    layer.resample(generator(0, "noise"))
    drawn = torch.randn(10, generator=generator(0, "noise"))
    noise = torch.tensor([[f(b) * f(a) for a in drawn[:6].tolist()] for b in drawn[6:].tolist()])
    of_bias, x = torch.tensor([f(b) for b in drawn[6:].tolist()]), torch.randn(3, 6)
    weight, bias = layer.weight + layer.weight_sigma * noise, layer.bias + layer.bias_sigma * of_bias
    assert_close(layer(x), torch.nn.functional.linear(x, weight, bias))


def f(x: float) -> float:
    return math.copysign(math.sqrt(abs(x)), x)


def test_evaluation_takes_the_mean_network():
    """T12: noise or none as the mode says, unless it is asked for."""
    torch.manual_seed(0)
    head, x = Dueling(8, 16, 3, 5, sigma=0.5), torch.randn(4, 8)
    head.resample(generator(0, "one"))
    noisy, mean = head(x), head.eval()(x)
    assert not torch.equal(noisy, mean)
    head.resample(generator(1, "other"))
    assert torch.equal(head(x), mean) and not torch.equal(head(x, noisy=True), noisy)
    head.train().resample(generator(0, "one"))
    assert torch.equal(head(x), noisy) and torch.equal(head(x, noisy=False), mean)


def test_advantages_have_no_mean():
    """v + a - mean of a over the actions, atom by atom."""
    torch.manual_seed(0)
    head, x = Dueling(8, 16, 3, 5, sigma=0.5).eval(), torch.randn(4, 8)
    logits = head(x)
    assert logits.shape == (4, 3, 5)
    assert_close(logits.mean(1), head.value(head.value_hidden(x).relu()))


def test_noise_gets_its_gradients_and_is_not_stored():
    layer = NoisyLinear(3, 2, 0.1)
    layer.resample(generator(0, "noise"))
    layer(torch.ones(1, 3)).sum().backward()
    assert_close(layer.weight_sigma.grad, torch.outer(layer.output_noise, layer.input_noise))
    assert_close(layer.bias_sigma.grad, layer.output_noise)
    assert set(layer.state_dict()) == {"weight", "bias", "weight_sigma", "bias_sigma"}
