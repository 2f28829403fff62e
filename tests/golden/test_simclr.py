"""NT-Xent against the official TensorFlow code."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.contrastive import nt_xent

CLOSE = {"rtol": 0, "atol": 1e-8}


def test_nt_xent_matches_the_official_loss_and_gradient(golden):
    file = golden("images_simclr")
    cases = [re.fullmatch(r"(\w+?)_t([\d.]+)_(norm|raw)_tf_loss", key) for key in file]
    cases = [case for case in cases if case]
    assert cases
    for case in cases:
        tag, temperature, kind = case.groups()
        hidden = torch.tensor(file[f"{tag}_hidden"], requires_grad=True)
        rows = F.normalize(hidden, dim=1) if kind == "norm" else hidden
        first, second = rows.chunk(2)
        loss = nt_xent(first, second, rows, 0, float(temperature)).mean()
        (gradient,) = torch.autograd.grad(loss, hidden)
        stem = case.group(0)[: -len("_loss")]
        assert_close(2 * loss.detach(), torch.as_tensor(file[f"{stem}_loss"]), **CLOSE)
        assert_close(2 * gradient, torch.as_tensor(file[f"{stem}_grad"]), **CLOSE)
        assert 2 * gradient.norm().item() == pytest.approx(float(file[f"{stem}_gradnorm"]), abs=1e-8)


def test_our_value_is_the_papers_half_of_the_official_sum(golden):
    file = golden("images_simclr")
    keys = [key for key in file if key.endswith("_norm_paper_loss")]
    assert keys
    for key in keys:
        tag, temperature = re.fullmatch(r"(\w+?)_t([\d.]+)_norm_paper_loss", key).groups()
        rows = F.normalize(torch.as_tensor(file[f"{tag}_hidden"]), dim=1)
        loss = nt_xent(*rows.chunk(2), rows, 0, float(temperature)).mean()
        assert_close(loss, torch.as_tensor(file[key]), **CLOSE)


def test_logits_of_views_against_each_other(golden):
    file = golden("images_simclr")
    keys = [key for key in file if key.endswith("_logits_ab")]
    assert keys
    for key in keys:
        tag, temperature, kind = re.fullmatch(r"(\w+?)_t([\d.]+)_(norm|raw)_logits_ab", key).groups()
        hidden = torch.as_tensor(file[f"{tag}_hidden"])
        first, second = (F.normalize(hidden, dim=1) if kind == "norm" else hidden).chunk(2)
        assert_close(first @ second.T / float(temperature), torch.as_tensor(file[key]), **CLOSE)
