"""The twin follows parameters, never buffers."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from twofold.nets.twin import follow, twin_of


def test_twin_follows_parameters_and_never_buffers():
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    twin = twin_of(original)
    before = [p.clone() for p in twin.parameters()]
    with torch.no_grad():
        for p in original.parameters():
            p.add_(torch.randn_like(p))
    original[1].running_mean.add_(5)
    follow(twin, original, 0.9)
    for old, ours, theirs in zip(before, twin.parameters(), original.parameters(), strict=True):
        assert_close(ours, 0.9 * old + 0.1 * theirs)
        assert not ours.requires_grad
    assert (twin[1].running_mean == 0).all()
