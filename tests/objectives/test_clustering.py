"""k-means on the sphere, the supervised contrast, and diagnostics of classes."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.clustering import effective_number, spherical_kmeans, supervised_contrast, tied_to_place


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def planted(classes=4, each=30, dim=8, noise=0.1):
    centres = F.normalize(torch.randn(classes, dim, generator=drawn(1), dtype=torch.float64), dim=1)
    truth = torch.arange(classes).repeat_interleave(each)
    return F.normalize(centres[truth] + noise * torch.randn(len(truth), dim, generator=drawn(2)), dim=1), truth


def test_kmeans_is_the_loop():
    rows = F.normalize(torch.randn(40, 5, generator=drawn(), dtype=torch.float64), dim=1)
    centroids = rows[torch.randperm(40, generator=drawn(3))[:6]]
    for _ in range(10):
        labels = [max(range(6), key=lambda k, row=row: float(row @ centroids[k])) for row in rows]
        for k in range(6):
            own = [row for row, label in zip(rows, labels, strict=True) if label == k]
            if own:
                centroids[k] = F.normalize(torch.stack(own).mean(0), dim=0)
    found, given = spherical_kmeans(rows, 6, drawn(3))
    assert_close(found, centroids)
    assert given.tolist() == [max(range(6), key=lambda k, row=row: float(row @ centroids[k])) for row in rows]


def test_planted_groups_are_found_pure():
    rows, truth = planted(classes=2)
    _, labels = spherical_kmeans(rows, 2, drawn())
    assert {len(set(labels[truth == k].tolist())) for k in (0, 1)} == {1}
    assert labels[0] != labels[-1]


def test_a_centroid_without_rows_stays():
    rows = F.normalize(torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]), dim=1)
    centroids, labels = spherical_kmeans(rows, 4, drawn())
    assert torch.isfinite(centroids).all() and len(centroids) == 4 and len(set(labels.tolist())) == 2


def test_the_supervised_contrast_is_the_loop():
    queries, keys = (F.normalize(torch.randn(n, 5, generator=drawn(n), dtype=torch.float64), dim=1) for n in (6, 9))
    kinds = torch.randint(0, 3, (6, 9), generator=drawn(5))  # 0 neither, 1 positive, 2 negative
    kinds[0] = 2  # a row without a positive
    queries.requires_grad_()
    losses = supervised_contrast(queries, keys, kinds == 1, kinds == 2, 0.1)
    for b in range(6):
        logits = [float(queries[b] @ keys[m]) / 0.1 for m in range(9)]
        mass = sum(math.exp(logit) for logit, kind in zip(logits, kinds[b], strict=True) if kind > 0)
        own = [math.log(mass) - logit for logit, kind in zip(logits, kinds[b], strict=True) if kind == 1]
        assert losses[b].item() == pytest.approx(sum(own) / len(own) if own else 0.0)
    nothing = torch.zeros_like(kinds, dtype=torch.bool)
    (gradient,) = torch.autograd.grad(supervised_contrast(queries, keys, nothing, nothing, 0.1).sum(), queries)
    assert (gradient == 0).all()


def test_how_many_classes_are_in_use():
    assert effective_number(torch.tensor([0, 1, 2, 3] * 5), 4).item() == pytest.approx(4)
    assert effective_number(torch.zeros(9, dtype=torch.int64), 4).item() == pytest.approx(1)


@pytest.mark.parametrize("images", [2, 50])
def test_position_shows_and_chance_does_not(images):
    places = torch.arange(16).repeat(images)
    assert tied_to_place(places % 4, places, drawn()) > 0.9 if images > 2 else True
    random = torch.randint(0, 4, places.shape, generator=drawn(7))
    assert tied_to_place(random, places, drawn()) < 0.15
    assert tied_to_place(torch.zeros_like(places), places, drawn()) == 0
