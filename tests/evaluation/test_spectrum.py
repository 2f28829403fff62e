"""Spread and effective rank: known cases, an SVD oracle, and no crash on NaN."""

import math

import numpy as np
import pytest
import torch

from twofold.evaluation.spectrum import effective_rank, spread


def test_spread_is_one_for_gaussian_rows_and_zero_for_equal_rows():
    rows = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert spread(rows) == pytest.approx(1, abs=0.02)
    assert spread(7 * rows) == pytest.approx(spread(rows))
    assert spread(rows[:1].expand(10, -1)) == pytest.approx(0, abs=1e-7)
    assert spread(torch.zeros(5, 3)) == 0


def test_spread_is_the_loop():
    rows = np.random.default_rng(0).normal(size=(7, 4)) + 1
    unit = [r / math.sqrt(sum(v * v for v in r)) for r in rows]
    deviations = []
    for c in range(4):
        column = [u[c] for u in unit]
        mean = sum(column) / 7
        deviations.append(math.sqrt(sum((v - mean) ** 2 for v in column) / 7))
    assert spread(torch.from_numpy(rows)) == pytest.approx(sum(deviations) / 4 * 2)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_effective_rank_is_that_of_the_singular_values(shape, dtype):
    rows = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    s = np.linalg.svd(rows.double().numpy(), compute_uv=False)
    p = s / s.sum()
    assert effective_rank(rows) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=1e-6)


def test_effective_rank_of_known_matrices():
    assert effective_rank(torch.eye(6)) == pytest.approx(6)
    assert effective_rank(torch.ones(20, 5)) == pytest.approx(1, abs=1e-5)
    assert effective_rank(torch.zeros(4, 4)) == 0


def test_not_finite_gives_nan():
    rows = torch.ones(4, 3)
    rows[1, 1] = torch.inf
    assert math.isnan(effective_rank(rows)) and math.isnan(spread(rows))
