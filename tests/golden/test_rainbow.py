"""Rainbow's projection and noisy layer against the official CURL-Rainbow code."""

import torch
from torch.testing import assert_close

from twofold.control.nets.noisy import NoisyLinear
from twofold.control.objectives import project


def test_the_projection(golden):
    file = golden("rl_rainbow_c51")
    support, returns = torch.as_tensor(file["support"]), torch.as_tensor(file["returns"])
    probabilities = torch.as_tensor(file["next_probs"])
    discount = torch.as_tensor(file["nonterminal"]).reshape(-1) * float(file["gamma"]) ** int(file["n_step"])
    found = project(probabilities, returns.reshape(-1), discount, support)
    assert_close(found, torch.as_tensor(file["target"]), rtol=0, atol=2e-5, check_dtype=False)


def test_the_noisy_layer(golden):
    file = {name: torch.as_tensor(value) for name, value in golden("rl_noisy_linear").items()}
    outputs, inputs = file["weight_mu"].shape
    layer = NoisyLinear(inputs, outputs, float(file["std_init"])).to(file["weight_mu"].dtype)
    fresh = (float(file["std_init"]) / inputs**0.5, float(file["std_init"]) / outputs**0.5)
    assert_close(layer.weight_sigma, torch.full_like(layer.weight_sigma, fresh[0]))
    assert_close(layer.bias_sigma, torch.full_like(layer.bias_sigma, fresh[1]))
    with torch.no_grad():
        layer.weight.copy_(file["weight_mu"])
        layer.bias.copy_(file["bias_mu"])
        layer.weight_sigma.copy_(file["weight_sigma"])
        layer.bias_sigma.copy_(file["bias_sigma"])
        layer.weight_noise.copy_(file["weight_epsilon"])
        layer.bias_noise.copy_(file["bias_epsilon"])
        assert_close(layer.train()(file["x"]), file["y_train"], rtol=0, atol=1e-5)
        assert_close(layer.eval()(file["x"]), file["y_eval"], rtol=0, atol=1e-5)
