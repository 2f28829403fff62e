"""Classes as clusters: colours are told apart without labels, noise is not."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import PLAIN, Noise, coloured, labelled
from twofold.images.dense.cluster_segmentation import cluster_segmentation, some_cells
from twofold.images.dense.maps import MapSet, RawPixels

RAW = RawPixels(PLAIN, 8, 3.5)


def sets(mapper, count=8):
    return [MapSet(mapper, labelled(*coloured(count, seed=seed), name=str(seed))) for seed in (1, 2)]


def test_colours_are_clusters():
    told = []
    found = cluster_segmentation(*sets(RAW), on_progress=lambda *done: told.append(done))
    assert found.matched.miou > 0.6 and found.voted.miou > 0.6 and found.clusters == 15
    assert told[-1] == (24, 24) and sorted(told) == told
    assert cluster_segmentation(*sets(RAW)) == found


def test_noise_is_near_chance():
    found = cluster_segmentation(*sets(Noise(), 20))
    assert found.matched.pixel_accuracy == pytest.approx(1 / 3, abs=0.08)
    assert found.voted.pixel_accuracy == pytest.approx(1 / 3, abs=0.08)


def test_an_equal_number_of_cells_of_each_picture():
    train, _ = sets(RAW)
    assert len(some_cells(train, 0, most=40)) == 40 and len(some_cells(train, 0)) == 8 * 24
    assert torch.equal(some_cells(train, 0, most=40), some_cells(train, 0, most=40))
    assert some_cells(train, 0).norm(dim=1).sub(1).abs().max() < 1e-5
