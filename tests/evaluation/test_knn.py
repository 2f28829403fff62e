"""kNN against explicit loops in float64."""

import math

import numpy as np
import pytest
import torch

from twofold.errors import UserError
from twofold.evaluation import knn
from twofold.evaluation.knn import (
    balanced_folds,
    fitting_k,
    fitting_k_of_folds,
    five_nn,
    knn_of_folds,
    knn_predict,
)
from twofold.evaluation.linear import linear_probe
from twofold.randomness import generator


def draws(n, d, classes, seed):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randint(classes, (n,), generator=rng)


def loop_scores(query, bank, labels, k, t, classes):
    cosines = [float(query @ row / (query.norm() * row.norm())) for row in bank]
    scores = [0.0] * classes
    for i in sorted(range(len(bank)), key=lambda i: -cosines[i])[:k]:
        scores[labels[i]] += math.exp(cosines[i] / t)
    return scores


@pytest.mark.parametrize(("k", "t"), [(1, 0.1), (7, 0.07), (200, 1.0)])
def test_knn_is_the_loop(k, t):
    bank, labels = draws(40, 6, 5, 0)
    queries, _ = draws(9, 6, 5, 1)
    predicted = knn_predict(3 * queries, 0.1 * bank, labels, k=k, temperature=t)
    for row, query in zip(predicted, queries, strict=True):
        scores = loop_scores(query, bank, labels, k, t, 5)
        voted = sorted((c for c in range(5) if scores[c]), key=lambda c: (-scores[c], c))
        assert row.tolist() == voted + [-1] * (min(k, 40) - len(voted))


def test_chunks_change_nothing(monkeypatch):
    bank, labels = draws(50, 6, 4, 0)
    queries, _ = draws(23, 6, 4, 1)
    whole = knn_predict(queries, bank, labels, k=9), five_nn(queries, bank, labels)
    monkeypatch.setattr(knn, "_CHUNK", 50 * 4)
    torch.testing.assert_close(knn_predict(queries, bank, labels, k=9), whole[0])
    torch.testing.assert_close(five_nn(queries, bank, labels), whole[1])


def test_folds_are_the_loop():
    features, labels = draws(30, 5, 3, 2)
    folds = balanced_folds(labels, 0)
    predicted = knn_of_folds(features, labels, folds, k=4)
    for i in range(30):
        others = [j for j in range(30) if folds[j] != folds[i]]
        scores = loop_scores(features[i], features[others], labels[others], 4, 0.1, 3)
        assert predicted[i] == scores.index(max(scores))


@pytest.mark.parametrize(("each", "count"), [(2, 2), (7, 7), (30, 10), (33, 10)])
def test_every_class_loses_alike_when_a_fold_is_taken_out(each, count):
    labels = torch.arange(4).repeat(each)
    folds = balanced_folds(labels, 3)
    assert len(folds.unique()) == count
    for fold in folds.unique():
        assert len(labels[folds != fold].bincount().unique()) == 1
    assert torch.equal(folds, balanced_folds(labels, 3)) and not torch.equal(folds, balanced_folds(labels, 4))


def test_a_class_of_one_is_wrong_and_leaves_the_others_their_folds_and_neighbours():
    labels = torch.tensor([0] * 40 + [1] * 40 + [2])
    folds = balanced_folds(labels, 0)
    assert len(folds.unique()) == 5 and fitting_k_of_folds(labels, folds) == 16
    predicted = knn_of_folds(torch.randn(81, 4), labels, folds, k=16)
    assert predicted[80] != 2


@pytest.mark.parametrize(
    ("counts", "k"), [([500] * 100, 200), ([5000, 6000], 200), ([20] * 4, 10), ([30, 9], 4), ([2, 3], 1), ([1, 1], 1)]
)
def test_k_is_half_of_the_smallest_class(counts, k):
    assert fitting_k(torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))) == k


def noise(n, classes, seed):
    """Features that say nothing, of classes of one size: as many images as fit into n."""
    labels = torch.arange(n // classes * classes) % classes
    return torch.randn(len(labels), 32, generator=generator(seed, "noise", n, classes)), labels


def by_folds(x, y, classes, seed):
    folds = balanced_folds(y, seed)
    return (knn_of_folds(x, y, folds, k=fitting_k_of_folds(y, folds)) == y).double().mean()


def by_bank(predict):
    def share(x, y, classes, seed):
        asked = torch.arange(len(y)) // classes % 5 == 0  # a fifth, class by class, as splits.hold_out
        return (predict(x[asked], x[~asked], y[~asked], classes) == y[asked]).double().mean()

    return share


def by_knn(asked, bank, labels, classes):
    return knn_predict(asked, bank, labels, k=fitting_k(labels))[:, 0]


def by_five(asked, bank, labels, classes):
    return five_nn(asked, bank, labels)


@pytest.mark.parametrize("share", [by_folds, by_bank(by_knn), by_bank(by_five)], ids=["folds", "knn", "5nn"])
@pytest.mark.parametrize("classes", [2, 4, 10])
@pytest.mark.parametrize("n", [20, 60, 200, 2000])
def test_features_without_information_are_at_chance(share, classes, n):
    rows = 6000 if share is by_folds else 20_000  # folds ask about every row, a bank is asked about a fifth
    seeds = min(600, rows // n)
    mean = sum(share(*noise(n, classes, seed), classes, seed) for seed in range(seeds)) / seeds
    assert abs(mean - 1 / classes) < 0.03


@pytest.mark.parametrize("classes", [2, 10])
def test_a_linear_probe_of_features_without_information_is_at_chance(classes):
    right = []
    for seed in range(40):
        x, y = noise(200, classes, seed)
        asked = torch.arange(len(y)) // classes % 5 == 0
        right.append(linear_probe(x[~asked], y[~asked], x[asked], y[asked], classes, seed, epochs=30)["top1"])
    assert abs(sum(right) / len(right) - 1 / classes) < 0.03


def test_five_nn_is_the_loop_and_ties_go_to_the_smaller_label():
    bank, labels = draws(60, 4, 6, 3)
    queries, _ = draws(25, 4, 6, 4)
    queries, bank = queries + 1e3, bank + 1e3
    predicted, tied = five_nn(queries.float(), bank.float(), labels), 0
    for query, got in zip(queries, predicted, strict=True):
        distance = [math.dist(query.tolist(), row.tolist()) for row in bank]
        near = [int(labels[i]) for i in np.argsort(distance)[:5]]
        votes = [near.count(c) for c in range(6)]
        tied += votes.count(max(votes)) > 1
        assert got == votes.index(max(votes))
    assert tied > 3


def test_low_temperature_does_not_overflow():
    bank, labels = draws(20, 4, 3, 0)
    predicted = knn_predict(bank.float(), bank.float(), labels, k=20, temperature=0.001)
    assert torch.equal(predicted[:, 0], labels)


def test_half_precision_features_are_scored_in_float32():
    bank, labels = draws(20, 4, 3, 0)
    assert torch.equal(knn_predict(bank.bfloat16(), bank.bfloat16(), labels, k=1)[:, 0], labels)


def test_nan_is_named():
    bank, labels = draws(20, 4, 3, 0)
    bank[3, 1] = torch.nan
    for call in (lambda: knn_predict(bank, bank, labels), lambda: five_nn(bank, bank, labels)):
        with pytest.raises(UserError, match="1 of 20 feature vectors hold NaN"):
            call()


def test_the_vote_takes_no_memory_for_classes_that_nobody_votes_for():
    bank, labels = draws(60, 6, 5, 0)
    queries, _ = draws(25, 6, 5, 1)
    codes = torch.tensor([3, 10**6, 10**9, 10**12, 2**62])  # a table over these would take more than there is
    assert torch.equal(knn_predict(queries, bank, codes[labels])[:, 0], codes[knn_predict(queries, bank, labels)[:, 0]])
    assert torch.equal(five_nn(queries, bank, codes[labels]), codes[five_nn(queries, bank, labels)])


def test_many_neighbours_vote_in_parts(monkeypatch):
    monkeypatch.setattr(knn, "_CHUNK", 1000)
    assert max(len(part) for part in knn._parts(torch.zeros(500, 2), 20, 20)) == 5


def test_a_fold_that_no_other_stands_beside_has_no_answer():
    labels = torch.tensor([0, 1])
    assert knn_of_folds(torch.randn(2, 4), labels, torch.zeros(2, dtype=torch.int64), k=1).tolist() == [-1, -1]
