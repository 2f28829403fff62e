"""Ranking metrics against the evaluators of SGL-Torch, LightGCN-PyTorch and RecBole."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from twofold.interactions.evaluation.ranking import metrics_of, rank_all
from twofold.interactions.ragged import Ragged

CLOSE = {"rtol": 1e-5, "atol": 1e-7}
LIGHTGCN = ("precision", "recall", "ndcg")


def pairs(file, part):
    return np.stack([file[f"{part}_u"], file[f"{part}_i"]], 1)


@pytest.fixture
def file(golden):
    return golden("rec_metrics")


@pytest.fixture
def relevant(file):
    return Ragged.of(pairs(file, "test"), len(file["scores"]))


@pytest.fixture
def ranking(file, relevant):
    scores = torch.as_tensor(file["scores"])
    seen = Ragged.of(pairs(file, "train"), len(scores))
    return rank_all(lambda users: scores[users], relevant, seen, file["ks"].tolist(), chunk_rows=3)


def test_the_lists(file, ranking):
    assert ranking.users.tolist() == file["eval_users"].tolist()
    assert ranking.top.tolist() == file["top20"].tolist()


def test_the_means(file, ranking):
    mean = ranking.mean()
    for i, k in enumerate(file["ks"]):
        for source, names in (("sgl", file["sgl_metric_names"]), ("recbole", file["recbole_names"])):
            for name, value in zip(names, file[f"{source}_mean"][:, i], strict=True):
                assert mean[f"{name.lower()}@{k}"] == pytest.approx(value, rel=1e-5), (source, name, k)
        for name, value in zip(LIGHTGCN, file["lightgcn_mean"][i], strict=True):
            assert mean[f"{name}@{k}"] == pytest.approx(value, rel=1e-5), (name, k)


def test_each_user_at_each_length(file, ranking, relevant):
    lengths = range(1, file["sgl_per_user_at_1_to_20"].shape[2] + 1)
    found = metrics_of(ranking.top, relevant, ranking.users, lengths)
    for j, name in enumerate(file["sgl_metric_names"]):
        expected = torch.as_tensor(file["sgl_per_user_at_1_to_20"][:, j]).double()
        assert_close(found[name.lower()], expected, **CLOSE)
