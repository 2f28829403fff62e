"""kNN against explicit loops in float64."""

import math

import numpy as np
import pytest
import torch

from twofold.errors import UserError
from twofold.evaluation import knn
from twofold.evaluation.knn import five_nn, knn_accuracy, knn_predict, leave_one_out_knn


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
    predicted = knn_predict(3 * queries, 0.1 * bank, labels, k=k, temperature=t, classes=5)
    for row, query in zip(predicted, queries, strict=True):
        scores = loop_scores(query, bank, labels, k, t, 5)
        assert row.tolist() == sorted(range(5), key=lambda c: (-scores[c], c))


def test_chunks_change_nothing(monkeypatch):
    bank, labels = draws(50, 6, 4, 0)
    queries, truth = draws(23, 6, 4, 1)
    whole = knn_predict(queries, bank, labels, k=9, classes=4), five_nn(queries, bank, labels)
    alone = leave_one_out_knn(bank, labels, k=9)
    monkeypatch.setattr(knn, "_CHUNK", 50 * 4)
    torch.testing.assert_close(knn_predict(queries, bank, labels, k=9, classes=4), whole[0])
    torch.testing.assert_close(five_nn(queries, bank, labels), whole[1])
    assert leave_one_out_knn(bank, labels, k=9) == alone
    assert knn_accuracy(queries, truth, bank, labels, k=9, classes=4) == float(
        (whole[0][:, 0] == truth).double().mean()
    )


def test_leave_one_out_is_the_loop():
    features, labels = draws(30, 5, 3, 2)
    right = 0
    for i in range(30):
        others = [j for j in range(30) if j != i]
        scores = loop_scores(features[i], features[others], labels[others], 4, 0.1, 3)
        right += scores.index(max(scores)) == labels[i]
    assert leave_one_out_knn(features, labels, k=4) == right / 30


def test_leave_one_out_never_sees_itself():
    """Rows of two tight clusters with labels against the clusters: each row's own label would win only by itself."""
    features = torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.01, 1.0]])
    assert leave_one_out_knn(features, torch.tensor([0, 1, 0, 1]), k=1) == 0
    assert leave_one_out_knn(features, torch.tensor([0, 1, 0, 1]), k=200) <= 0.5


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
    predicted = knn_predict(bank.float(), bank.float(), labels, k=20, temperature=0.001, classes=3)
    assert torch.equal(predicted[:, 0], labels)


def test_half_precision_features_are_scored_in_float32():
    bank, labels = draws(20, 4, 3, 0)
    assert torch.equal(knn_predict(bank.bfloat16(), bank.bfloat16(), labels, k=1, classes=3)[:, 0], labels)


def test_nan_is_named():
    bank, labels = draws(20, 4, 3, 0)
    bank[3, 1] = torch.nan
    for call in (lambda: leave_one_out_knn(bank, labels), lambda: five_nn(bank, bank, labels)):
        with pytest.raises(UserError, match="1 of 20 feature vectors hold NaN"):
            call()
