"""The map and the neighbours, against plain loops."""

import numpy as np
import pytest

from twofold.page.embedding import agreement, flat_map, nearest, queries, sample, unit_rows


@pytest.fixture(scope="module")
def clusters():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    return unit_rows(random.normal(size=(3, 64))[labels] * 3 + random.normal(size=(90, 64))), labels


def test_nearest_is_the_naive_search(clusters):
    unit, _ = clusters
    found, cosines = nearest(unit, np.array([5, 60]), 7)
    for row, query in enumerate([5, 60]):
        naive = sorted((i for i in range(90) if i != query), key=lambda i: (-float(unit[i] @ unit[query]), i))[:7]
        assert set(found[row]) == set(naive)
        assert cosines[row] == pytest.approx([float(unit[i] @ unit[query]) for i in found[row]], abs=1e-6)
        assert (np.diff(cosines[row]) <= 0).all()


def test_fewer_images_than_neighbours():
    found, _ = nearest(unit_rows(np.eye(3)), np.arange(3))
    assert [set(row) for row in found] == [{1, 2}, {0, 2}, {0, 1}]


def test_agreement_is_the_counted_share(clusters):
    unit, labels = clusters
    labels = labels.copy()
    labels[::7] = -1
    hits = total = 0
    for query in np.flatnonzero(labels >= 0):
        for other in nearest(unit, np.array([query]))[0][0]:
            hits, total = hits + int(labels[other] == labels[query]), total + 1
    assert agreement(unit, labels) == pytest.approx(hits / total)


def test_map_keeps_clusters_and_is_the_same_each_time(clusters):
    unit, labels = clusters
    points = flat_map(unit)
    assert points.shape == (90, 2) and np.abs(points).max() <= 1
    centres = np.stack([points[labels == label].mean(axis=0) for label in range(3)])
    nearest_centre = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest_centre == labels).mean() > 0.9
    np.testing.assert_array_equal(points, flat_map(unit))


@pytest.mark.parametrize("features", [np.ones((50, 8)), np.zeros((50, 8)), np.eye(4), np.ones((50, 1))])
def test_no_map_of_nothing(features):
    assert flat_map(unit_rows(features)) is None


def test_smallest_map():
    assert flat_map(unit_rows(np.random.default_rng(0).normal(size=(5, 3)))).shape == (5, 2)


def test_sample_and_queries():
    assert sample(10, 20).tolist() == list(range(10))
    assert len(set(sample(5000, 100).tolist())) == 100 and sample(5000, 100).tolist() == sample(5000, 100).tolist()
    labels = np.array([0] * 50 + [1] * 5 + [2] * 2 + [-1] * 20)
    assert sorted(labels[queries(labels, 77)].tolist()) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert len(queries(None, 77)) == 8 and len(queries(None, 3)) == 3
