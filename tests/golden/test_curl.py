"""CURL's similarities, losses and squashed Gaussian against the official code, of Rainbow and of SAC."""

import torch
from torch.testing import assert_close

from twofold.control.objectives import bilinear_logits, matched, squash


def test_the_head_of_rainbow(golden):
    file = golden("rl_curl_rainbow_head")
    anchor, key, weight = (torch.as_tensor(file[name]) for name in ("z_anchor", "z_target", "W"))
    logits = bilinear_logits(anchor, key, weight, float(file["logit_scale"]))
    assert_close(logits, torch.as_tensor(file["logits"]), rtol=0, atol=1e-4, check_dtype=False)
    assert_close(matched(logits).item(), float(torch.as_tensor(file["loss"]).mean()), rtol=0, atol=1e-5)


def test_the_head_of_sac(golden):
    file = golden("rl_curl_sac")
    anchor, key, weight = (torch.as_tensor(file[name]) for name in ("z_anchor", "z_pos", "W"))
    logits = bilinear_logits(anchor, key, weight)
    assert_close(logits, torch.as_tensor(file["logits"]), rtol=0, atol=1e-4, check_dtype=False)
    assert_close(matched(logits).item(), float(file["loss"]), rtol=0, atol=1e-5)


def test_the_squashed_gaussian(golden):
    """The official volume term has a small number under its logarithm, which ours does not need: beyond tanh's reach
    the two differ, and by no more than that number explains."""
    file = golden("rl_curl_sac")
    mean, log_std, noise = (torch.as_tensor(file[name]).double() for name in ("mu", "log_std", "noise"))
    action, log_probability = squash(mean, log_std, noise)
    assert_close(action, torch.as_tensor(file["pi"]).double(), rtol=0, atol=1e-5)
    assert_close(mean.tanh(), torch.as_tensor(file["mu_tanh"]).double(), rtol=0, atol=1e-5)
    room = 1 - action.square()
    official = log_probability + (room.log() - (room + float(file["squash_eps"])).log()).sum(1)
    assert_close(official, torch.as_tensor(file["log_pi"]).double().reshape(-1), rtol=0, atol=1e-4)
