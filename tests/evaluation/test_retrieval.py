"""Instance retrieval against a loop, and where it must be 0 and 1."""

import math

import pytest
import torch

from twofold.evaluation import retrieval
from twofold.evaluation.retrieval import instance_retrieval


def by_loop(first, second):
    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))

    hits = 0
    for i, row in enumerate(first):
        hits += all(cosine(row, second[i]) > cosine(row, other) for j, other in enumerate(second) if j != i)
    return hits / len(first)


@pytest.mark.parametrize("rows", [4, 1024])
def test_it_is_the_loop(monkeypatch, rows):
    monkeypatch.setattr(retrieval, "ROWS", rows)
    drawn = torch.Generator().manual_seed(0)
    first = torch.randn(30, 5, generator=drawn)
    second = first + 0.7 * torch.randn(30, 5, generator=drawn)
    found = instance_retrieval(first, second)
    assert found == by_loop(first.tolist(), second.tolist()) and 0.2 < found < 0.9


def test_equal_views_find_each_other_and_collapsed_features_find_nothing():
    rows = torch.randn(50, 16, generator=torch.Generator().manual_seed(1))
    assert instance_retrieval(rows, 3 * rows) == 1
    alike = rows[:1].expand(50, -1)
    assert instance_retrieval(alike, alike) == 0
    assert instance_retrieval(torch.zeros(4, 3), torch.zeros(4, 3)) == 0


def test_features_that_are_not_finite_find_nothing():
    rows = torch.eye(4)
    rows[1, 1] = torch.nan
    assert instance_retrieval(rows, rows) == 0
