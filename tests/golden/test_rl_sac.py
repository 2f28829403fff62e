"""The squashed Gaussian and CURL's loss over SAC against the official code of CURL."""

import numpy as np
import torch
from torch.testing import assert_close

from twofold.control.objectives import bilinear_logits, matched, squash


def test_the_squashed_gaussian(golden):
    """The official code adds a small number within the logarithm of its density; ours is exact, so both are compared
    with it added."""
    file = golden("rl_curl_sac")
    mean, log_std, noise = (torch.as_tensor(file[name]) for name in ("mu", "log_std", "noise"))
    action, log_probability = squash(mean, log_std, noise)
    assert_close(action, torch.as_tensor(file["pi"]), rtol=0, atol=1e-5)
    assert_close(squash(mean, log_std, torch.zeros_like(noise))[0], torch.as_tensor(file["mu_tanh"]), rtol=0, atol=1e-5)
    exact = 1 - np.tanh((mean + log_std.exp() * noise).double().numpy()) ** 2
    added = torch.as_tensor(np.log1p(float(file["squash_eps"]) / exact).sum(1)).float()
    assert_close((log_probability - added)[:, None], torch.as_tensor(file["log_pi"]), rtol=0, atol=1e-5)


def test_curls_loss(golden):
    file = golden("rl_curl_sac")
    logits = bilinear_logits(*(torch.as_tensor(file[name]) for name in ("z_anchor", "z_pos", "W")))
    assert_close(logits, torch.as_tensor(file["logits"]), rtol=0, atol=1e-4)
    assert_close(matched(logits), torch.as_tensor(file["loss"]), rtol=0, atol=1e-4)
