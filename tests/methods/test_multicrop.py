"""DINO and SwAV learn: noisy views of a few patterns are told apart within a hundred steps, and nothing collapses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from twofold.methods.dino import DINO
from twofold.methods.swav import SwAV
from twofold.seam import Progress, Views

from .small import Tiny

STEPS, PATTERNS = 100, 16


class Whole(Tiny):
    """Looks at the whole picture at once."""

    width = 32

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 32, 6), nn.BatchNorm2d(32)


def made(name):
    common = {"hidden": 64, "dim": 16, "local_views": 2}
    if name == "swav":
        return SwAV(Whole(), prototypes=20, queue=128, **common)
    return DINO(Whole(), prototypes=64, head_norm=True, momentum=0.95, teacher_temperature=0.04, **common)


@pytest.mark.parametrize("name", ["dino", "swav"])
def test_patterns_are_told_apart(name):
    torch.manual_seed(0)
    method = made(name)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 3e-3)
    patterns = torch.randn(PATTERNS, 3, 6, 6)
    for step in range(STEPS):
        now = Progress(step, STEPS, step * 10 // STEPS, 10)
        which = torch.randint(0, PATTERNS, (64,))
        tensors = [patterns[which] + 0.3 * torch.randn(64, 3, 6, 6) for _ in range(method.view_count)]
        method.before_step(now)
        losses = method(Views(tensors, [], torch.arange(64)), now)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        method.after_step(now)
    assert losses.total < math.log(method.prototypes.out_features) / 3
    rows = F.normalize(losses.rows, dim=1)
    assert rows.std(0).mean() * math.sqrt(rows.shape[1]) > 0.8
    similar = rows[:64] @ rows[64:128].T
    same = which[:, None] == which
    assert similar[same].mean() > 0.8 > 0.2 > similar[~same].mean()


def test_what_says_nothing_is_an_alarm():
    dino, swav = made("dino"), made("swav")
    assert "teacher_temperature" in dino.alarms({"target_entropy": 0.995})[0]
    assert "epsilon of 0.03" in swav.alarms({"code_entropy": 0.995})[0]
    assert dino.alarms({"target_entropy": 0.5}) == swav.alarms({"code_entropy": 0.5}) == dino.alarms({}) == []
