"""Draws are functions of their keys alone, and uniform."""

from __future__ import annotations

import torch

from twofold.randomness import derive, generator, uniforms


def test_draws_depend_on_the_index_and_not_on_the_batch():
    index = torch.tensor([5, 0, 2**40 + 3, 77])
    drawn = uniforms(index, 6, 1, "crop", 3)
    assert torch.equal(drawn[2:3], uniforms(index[2:3], 6, 1, "crop", 3))
    assert torch.equal(drawn[:, :4], uniforms(index, 4, 1, "crop", 3))
    for seed, *keys in ((2, "crop", 3), (1, "flip", 3), (1, "crop", 4)):
        assert not torch.equal(drawn, uniforms(index, 6, seed, *keys))


def test_draws_are_uniform_and_unrelated():
    drawn = uniforms(torch.arange(20_000), 8, 0, "x").double()
    assert drawn.min() >= 0 and drawn.max() < 1
    sorted_draws = drawn.sort(0).values
    expected = (torch.arange(20_000).double() + 0.5) / 20_000
    assert (sorted_draws - expected[:, None]).abs().max() < 1.95 / 20_000**0.5  # Kolmogorov-Smirnov, p about 0.001
    correlation = torch.corrcoef(drawn.T) - torch.eye(8)
    assert correlation.abs().max() < 0.03
    neighbours = torch.corrcoef(torch.stack([drawn[:-1, 0], drawn[1:, 0]]))[0, 1]
    assert abs(neighbours) < 0.03


def test_seeds_and_generators():
    assert derive(0, "a", 1) == derive(0, "a", 1) != derive(0, "a", 2)
    assert derive(0, "ab") != derive(0, "a", "b")
    assert torch.equal(torch.rand(3, generator=generator(0, "a")), torch.rand(3, generator=generator(0, "a")))
