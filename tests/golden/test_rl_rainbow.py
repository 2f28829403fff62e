"""Rainbow's projection, its noisy layers and CURL's head over it against the official code of CURL on Rainbow."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.control.nets.noisy import NoisyLinear
from twofold.control.objectives import bilinear_logits, matched, project


def test_the_projection(golden):
    file = golden("rl_rainbow_c51")
    gamma, n_step, going_on = float(file["gamma"]), int(file["n_step"]), torch.as_tensor(file["nonterminal"])
    probabilities, gain = torch.as_tensor(file["next_probs"]), torch.as_tensor(file["returns"])
    found = project(probabilities, gain, going_on.flatten() * gamma**n_step, torch.as_tensor(file["support"]))
    assert_close(found, torch.as_tensor(file["target"]), rtol=0, atol=2e-5)
    assert_close(found.sum(1), torch.ones(len(found)), rtol=0, atol=2e-5)


def test_noisy_layers(golden):
    file = golden("rl_noisy_linear")
    outputs, inputs = file["weight_mu"].shape
    layer = NoisyLinear(inputs, outputs, float(file["std_init"]))
    fresh = {"weight_sigma": file["std_init"] / np.sqrt(inputs), "bias_sigma": file["std_init"] / np.sqrt(outputs)}
    for name, value in fresh.items():
        assert layer.get_parameter(name).detach().numpy() == pytest.approx(float(value))
    named = {"weight": "weight_mu", "bias": "bias_mu", "weight_sigma": "weight_sigma", "bias_sigma": "bias_sigma"}
    layer.load_state_dict({ours: torch.as_tensor(file[theirs]) for ours, theirs in named.items()})
    noise, of_outputs = torch.as_tensor(file["weight_epsilon"]), torch.as_tensor(file["bias_epsilon"])
    layer.output_noise.copy_(of_outputs)
    layer.input_noise.copy_(of_outputs @ noise / of_outputs.square().sum())
    assert_close(torch.outer(layer.output_noise, layer.input_noise), noise, rtol=0, atol=1e-5)
    x = torch.as_tensor(file["x"])
    for training, name in ((True, "y_train"), (False, "y_eval")):
        assert_close(layer.train(training)(x).detach(), torch.as_tensor(file[name]), rtol=0, atol=1e-5)


def test_curls_head(golden):
    file = golden("rl_curl_rainbow_head")
    rows = [torch.as_tensor(file[name]) for name in ("z_anchor", "z_target", "W")]
    logits = bilinear_logits(*rows, float(file["logit_scale"]))
    assert_close(logits, torch.as_tensor(file["logits"]), rtol=0, atol=1e-4)
    assert_close(matched(logits), torch.as_tensor(file["loss"]), rtol=0, atol=1e-5)
