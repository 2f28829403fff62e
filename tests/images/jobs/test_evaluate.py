"""The protocols on data that say nothing about their classes: at chance, whatever the size of the set and its classes.

The full grid, with its table: pytest -m slow -n 0 -s tests/images/jobs/test_evaluate.py
"""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from twofold.images.evaluation import Split, hold_out
from twofold.images.jobs.evaluate import ON_FEATURES
from twofold.randomness import generator

WIDTH = 32
SIZES, CLASSES = (20, 60, 200, 2000), (2, 3, 4, 6, 10)
UNEQUAL = 3  # times the smallest class, the largest


def labels_of(n: int, classes: int, unequal: bool) -> torch.Tensor:
    """n labels; unequal classes grow evenly up to three times the smallest, and have two images at least."""
    shares = torch.linspace(1, UNEQUAL if unequal else 1, classes)
    counts = (n * shares / shares.sum()).round().long().clamp(min=2)
    return torch.arange(classes).repeat_interleave(counts)


def by_class(protocol: str, n: int, classes: int, unequal: bool, seeds: int) -> tuple[float, float]:
    """(mean over the classes, over all seeds, of the share answered rightly; what the plain accuracy is beyond that of
    the largest class) for features of noise, split as evaluate does."""
    labels = labels_of(n, classes, unequal)
    rights, plain = torch.zeros(classes, dtype=torch.float64), 0.0
    for seed in range(seeds):
        x = torch.randn(len(labels), WIDTH, generator=generator(seed, "noise", n, classes, unequal))
        train, test = hold_out(Split(cast(Any, None), torch.arange(len(labels)), labels), seed=seed)
        bank, asked = (x[train.indices], train.labels), (x[test.indices], test.labels)
        found = ON_FEATURES[protocol](bank, asked, classes, seed)
        rights += found.get("balanced", found["top1"])
        plain += found["top1"]
    largest = float(labels.bincount().max()) / len(labels)
    return float(rights.mean()) / seeds, plain / seeds - largest


def seeds_for(n: int, most: int) -> int:
    return max(8, min(most, 18_000 // n))


@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize("protocol", ["knn", "5nn"])
@pytest.mark.parametrize(("n", "classes"), [(20, 2), (60, 10), (200, 4)])
def test_neighbours_without_information_are_at_chance(protocol, n, classes, unequal):
    mean, beyond = by_class(protocol, n, classes, unequal, 400)
    assert abs(mean - 1 / classes) < 0.03 and beyond < 0.03


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("protocol", ON_FEATURES)
def test_every_protocol_without_information_is_at_chance(protocol, n, classes, unequal):
    mean, beyond = by_class(protocol, n, classes, unequal, seeds_for(n, 600))
    print(f"| {protocol} | {n} | {classes} | {'unequal' if unequal else 'equal'} | {1 / classes:.1%} | {mean:.1%} |")
    assert abs(mean - 1 / classes) < 0.03 and beyond < 0.03
