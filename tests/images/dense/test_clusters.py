"""k-means and the matching of clusters to classes: against plain loops, all permutations, planted groups."""

from __future__ import annotations

import itertools

import pytest
import torch

from twofold.images.dense.clusters import _lloyd, assigned, best_matching, kmeans, scores


@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_the_matching_is_the_best_of_all(size):
    for seed in range(8):
        gain = torch.randint(-5, 20, (size, size), generator=torch.Generator().manual_seed(seed))
        found = best_matching(gain)
        assert sorted(found.tolist()) == list(range(size))
        best = max(sum(int(gain[i, j]) for i, j in enumerate(order)) for order in itertools.permutations(range(size)))
        assert gain[range(size), found].sum() == best


def test_the_matching_of_many_against_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    gain = torch.rand(60, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    columns = optimize.linear_sum_assignment(gain.numpy(), maximize=True)[1]
    assert best_matching(gain).tolist() == columns.tolist()


def test_planted_groups_are_found():
    draws = torch.Generator().manual_seed(0)
    middles = torch.randn(5, 8, generator=draws) * 5
    label = torch.arange(200) % 5
    vectors = middles[label] + 0.3 * torch.randn(200, 8, generator=draws)
    found, _ = assigned(vectors, kmeans(vectors, 5, draws))
    assert all(len(found[label == k].unique()) == 1 for k in range(5)) and len(found.unique()) == 5


def test_a_round_against_loops_in_float64():
    draws = torch.Generator().manual_seed(1)
    vectors = torch.randn(30, 3, generator=draws, dtype=torch.float64)
    centres = torch.cat([vectors[:3], torch.full((1, 3), 99.0, dtype=torch.float64)])
    nearest = [min(range(4), key=lambda c: sum((x - centres[c]) ** 2).item()) for x in vectors]
    expected = [
        torch.stack([x for x, c in zip(vectors, nearest, strict=True) if c == k]).mean(0)
        if k in nearest
        else centres[k]
        for k in range(4)
    ]
    found, inertia = _lloyd(vectors, centres, 1)
    torch.testing.assert_close(found, torch.stack(expected))
    assert found[3].tolist() == [99] * 3  # empty
    least = sum(min(sum((x - c) ** 2).item() for c in found) for x in vectors)
    assert inertia == pytest.approx(least)
    torch.testing.assert_close(assigned(vectors, centres)[0], torch.tensor(nearest))
    assert scores(vectors, centres).argmax(1).tolist() == nearest


def test_more_clusters_than_vectors_and_vectors_that_are_all_alike():
    draws = torch.Generator().manual_seed(0)
    assert len(kmeans(torch.randn(3, 2), 10, draws)) == 3
    assert torch.equal(kmeans(torch.ones(9, 2), 3, draws), torch.ones(3, 2))
