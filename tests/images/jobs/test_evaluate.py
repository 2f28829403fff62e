"""The protocols on data that say nothing about their classes: at chance, whatever the size of the set and its classes.

The full grid, with its table: pytest -m slow -n 0 -s tests/images/jobs/test_evaluate.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from twofold.evaluation.linear import linear_probe
from twofold.images.backbones import build_backbone
from twofold.images.evaluation import InputSettings, Split, hold_out
from twofold.images.evaluation.sgd_linear import LINEAR_RECIPES, sgd_linear
from twofold.images.jobs.evaluate import ON_FEATURES
from twofold.images.reading import Images, open_source
from twofold.randomness import generator

WIDTH = 32
SIZES, CLASSES = (20, 60, 200, 2000), (2, 3, 4, 6, 10)
EPOCHS = 100  # of the linear layer, which by then has long learned every label by heart; evaluate takes 500
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
        if protocol == "linear":
            found = linear_probe(*bank, *asked, classes, seed, epochs=EPOCHS)
        else:
            found = ON_FEATURES[protocol](bank, asked, classes, seed)
        rights += found.get("balanced", found["top1"])
        plain += found["top1"]
    largest = float(labels.bincount().max()) / len(labels)
    return float(rights.mean()) / seeds, plain / seeds - largest


def show(protocol: str, n: int, classes: int, unequal: bool, mean: float) -> None:
    """A row of the table."""
    print(f"| {protocol} | {n} | {classes} | {'unequal' if unequal else 'equal'} | {1 / classes:.1%} | {mean:.1%} |")


def seeds_for(n: int, most: int) -> int:
    return max(8, min(most, 18_000 // n))


@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize("protocol", ["knn", "5nn"])
@pytest.mark.parametrize(("n", "classes"), [(20, 2), (60, 10), (200, 4)])
def test_neighbours_without_information_are_at_chance(protocol, n, classes, unequal):
    mean, beyond = by_class(protocol, n, classes, unequal, 400)
    assert abs(mean - 1 / classes) < 0.03 and beyond < 0.03


def by_class_of_recipe(recipe: str, images: Images, labels: torch.Tensor, seeds: int) -> float:
    """The same mean for the linear evaluation of the papers, on images of noise, whose labels are drawn anew by each
    seed; for a few epochs, which changes nothing where there is nothing to learn."""
    inputs = InputSettings(16, (0.5,) * 3, (0.25,) * 3)
    backbone, classes, right = build_backbone("convnet", image_size=16).eval(), len(labels.unique()), 0.0
    for seed in range(seeds):
        drawn = labels[torch.randperm(len(labels), generator=generator(seed, "labels"))]
        train, test = hold_out(Split(images, torch.arange(len(labels)), drawn), seed=seed)
        found = sgd_linear(backbone, train, test, classes, inputs, recipe=LINEAR_RECIPES[recipe], seed=seed, epochs=2)
        right += found.get("balanced", found["top1"])
    return right / seeds


def noise_images(folder: Path, count: int) -> Images:
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8))
    return Images(open_source(str(folder / "noise.npy")), short_side=16, workers=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize("classes", [2, 4, 10])
@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("recipe", LINEAR_RECIPES)
def test_every_recipe_without_information_is_at_chance(recipe, n, classes, unequal, tmp_path):
    labels = labels_of(n, classes, unequal)
    mean = by_class_of_recipe(recipe, noise_images(tmp_path, len(labels)), labels, seeds_for(n, 600))
    print(
        f"| linear-{recipe} | {n} | {classes} | {'unequal' if unequal else 'equal'} | {1 / classes:.1%} | {mean:.1%} |"
    )
    assert abs(mean - 1 / classes) < 0.03


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("protocol", ON_FEATURES)
def test_every_protocol_without_information_is_at_chance(protocol, n, classes, unequal):
    mean, beyond = by_class(protocol, n, classes, unequal, seeds_for(n, 600))
    show(protocol, n, classes, unequal, mean)
    assert abs(mean - 1 / classes) < 0.03 and beyond < 0.03
