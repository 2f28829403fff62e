"""Retrieval by labels and the nearest rows, against loops."""

import pytest
import torch
import torch.nn.functional as F

from twofold.evaluation import search
from twofold.evaluation.search import nearest_rows, retrieval


def drawn(seed=0):
    own = torch.Generator().manual_seed(seed)
    queries, gallery = torch.randn(11, 6, generator=own), torch.randn(23, 6, generator=own)
    asked, labels = torch.randint(3, (11,), generator=own), torch.randint(3, (23,), generator=own)
    groups = torch.randint(-1, 4, (11,), generator=own), torch.randint(-1, 4, (23,), generator=own)
    return queries, asked, gallery, labels, groups


def allowed(own, other):
    return own < 0 or own != other


@pytest.mark.parametrize("rows", [4, 256])
@pytest.mark.parametrize("apart", [False, True])
def test_the_nearest_rows_are_those_of_a_loop(monkeypatch, rows, apart):
    monkeypatch.setattr(search, "ROWS", rows)
    queries, asked, gallery, labels, groups = drawn()
    own = dict(zip(("query_groups", "gallery_groups"), groups, strict=True)) if apart else {}
    found, cosines = nearest_rows(queries, gallery, 5, **own)
    hits = 0
    for i, query in enumerate(queries):
        similar = {
            j: F.cosine_similarity(query.double(), row.double(), dim=0).item()
            for j, row in enumerate(gallery)
            if not apart or allowed(groups[0][i], groups[1][j])
        }
        order = sorted(similar, key=lambda j: -similar[j])[:5]
        assert found[i].tolist() == order
        assert cosines[i].tolist() == pytest.approx([similar[j] for j in order])
        hits += labels[order[0]].item() == asked[i].item()
    assert retrieval(queries, asked, gallery, labels, **own)["R@1"] == pytest.approx(hits / len(queries))


def test_what_may_not_answer_is_told_by_its_cosine():
    same = torch.zeros(3, dtype=torch.int64)
    found, cosines = nearest_rows(torch.eye(3), torch.eye(3), 3, query_groups=same, gallery_groups=same)
    assert found.shape == (3, 3) and (cosines == -torch.inf).all()
    numbers = retrieval(torch.eye(3), same, torch.eye(3), same, query_groups=same, gallery_groups=same)
    assert set(numbers.values()) == {0.0}


def test_rows_that_are_all_alike_are_at_chance():
    labels = torch.arange(40) % 4
    alike = torch.ones(40, 8)
    found = retrieval(alike, labels, alike, labels)
    assert found["R@1"] == 0.25 and found["R@20"] == 1.0
