"""LARS against the optimizer of the SimCLR repository, step by step, in both of its variants."""

import pytest
import torch
from torch.testing import assert_close

from twofold.training.lars import LARS


@pytest.mark.parametrize("variant", ["classic", "popular"])
def test_lars_replays_every_step(golden, variant):
    file = golden("images_lars")
    weights = {"W": file["W0"], "b": file["b0"], "gamma": file["gamma0"]}
    parameters = {name: torch.nn.Parameter(torch.tensor(start)) for name, start in weights.items()}
    optimizer = LARS(
        [
            {"params": [parameters["W"]]},
            {"params": [parameters["b"], parameters["gamma"]], "adapt": False, "weight_decay": 0.0},
        ],
        float(file["lr"]),
        momentum=float(file["momentum"]),
        weight_decay=float(file["weight_decay"]),
        eta=float(file["eeta"]),
        variant=variant,
    )
    steps = len(file["grads_W"])
    assert steps > 1
    for step in range(steps):
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(file[f"grads_{name}"][step])
        optimizer.step()
        for name, parameter in parameters.items():
            expected = torch.tensor(file[f"{variant}_{name}"][step])
            assert_close(parameter.detach(), expected, rtol=0, atol=2e-6)
