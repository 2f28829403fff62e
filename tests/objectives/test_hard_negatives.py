"""Mixtures of unit vectors and uniformity against naive loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.hard_negatives import mix_rows, uniformity


def rows(*shape, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=drawn, dtype=torch.float64), dim=-1)


def test_mixtures_are_normalised_weighted_sums():
    first, second, weight = rows(3, 4, 5), rows(3, 4, 5, seed=1), torch.rand(3, 4, dtype=torch.float64)
    found = mix_rows(first, second, weight)
    for b in range(3):
        for s in range(4):
            w = weight[b, s].item()
            mixed = [w * x + (1 - w) * y for x, y in zip(first[b, s].tolist(), second[b, s].tolist(), strict=True)]
            length = math.sqrt(sum(x * x for x in mixed))
            assert found[b, s].tolist() == pytest.approx([x / length for x in mixed], abs=1e-12)


def test_one_row_is_mixed_with_several():
    query, second, weight = rows(3, 1, 5), rows(3, 4, 5, seed=1), torch.rand(3, 4, dtype=torch.float64)
    assert_close(mix_rows(query, second, weight), mix_rows(query.expand(3, 4, 5), second, weight))


def test_uniformity_is_the_mean_over_pairs():
    z = rows(6, 4)
    values = [
        math.exp(-2 * sum((a - b) ** 2 for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)))
        for i in range(6)
        for j in range(6)
        if i != j
    ]
    assert uniformity(z).item() == pytest.approx(math.log(sum(values) / len(values)), abs=1e-12)
    assert uniformity(z[:1].repeat(4, 1)).item() == pytest.approx(0.0, abs=1e-9)
    assert uniformity(torch.eye(4, dtype=torch.float64)).item() == pytest.approx(-4.0)
