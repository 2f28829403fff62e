"""Every objective against a naive loop in float64, a gradient check, and its invariances."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.consistency import similarity_distribution, symmetric_divergence
from twofold.objectives.info_nce import info_nce
from twofold.objectives.nt_xent import nt_xent
from twofold.objectives.regression import negative_cosine, normalised_squared_error


def rows(n, d=5, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, d, generator=drawn, dtype=torch.float64), dim=1)


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


@pytest.mark.parametrize("offset", [0, 2])
def test_nt_xent_is_the_loop_of_the_paper(offset):
    first, second, t = rows(6, seed=1), rows(6, seed=2), 0.3
    own = slice(offset, offset + 3)
    ours = nt_xent(first[own], second[own], torch.cat([first, second]), offset, t)
    everyone = [*first, *second]
    for b, loss in enumerate(ours.tolist()):
        halves = []
        for me, sibling in ((offset + b, offset + b + 6), (offset + b + 6, offset + b)):
            total = sum(math.exp(dot(everyone[me], z) / t) for j, z in enumerate(everyone) if j != me)
            halves.append(-math.log(math.exp(dot(everyone[me], everyone[sibling]) / t) / total))
        assert loss == pytest.approx(sum(halves) / 2, abs=1e-12)


def test_info_nce_is_the_loop_of_the_paper():
    q, k, queue, extra, t = rows(4), rows(4, seed=1), rows(7, seed=2), rows(12, seed=3).view(4, 3, 5), 0.2
    for given in (None, extra):
        for b, loss in enumerate(info_nce(q, k, queue, t, given).tolist()):
            own = [] if given is None else list(given[b])
            positive = math.exp(dot(q[b], k[b]) / t)
            total = positive + sum(math.exp(dot(q[b], n) / t) for n in [*queue, *own])
            assert loss == pytest.approx(-math.log(positive / total), abs=1e-12)


def test_regressions_are_cosines():
    p, z = 3 * rows(4), 0.1 * rows(4, seed=1)
    for b in range(4):
        cosine = dot(p[b], z[b]) / math.sqrt(dot(p[b], p[b]) * dot(z[b], z[b]))
        assert negative_cosine(p, z)[b].item() == pytest.approx(-cosine, abs=1e-12)
        assert normalised_squared_error(p, z)[b].item() == pytest.approx(2 - 2 * cosine, abs=1e-12)
    assert_close(normalised_squared_error(p, z), (F.normalize(p) - F.normalize(z)).square().sum(1))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_similarity_distribution_is_a_softmax_over_the_right_entries(positive, own):
    q, n, t = rows(3), rows(3, seed=1), 0.5
    left_out = torch.tensor([0, 1, 2]) if own else None
    extra = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64) if positive else None
    ours = similarity_distribution(q, n, t, extra, left_out).exp()
    for b in range(3):
        logits = [extra[b].item()] if positive else []
        logits += [dot(q[b], n[j]) for j in range(3) if not (own and j == b)]
        total = sum(math.exp(x / t) for x in logits)
        assert ours[b].tolist() == pytest.approx([math.exp(x / t) / total for x in logits], abs=1e-12)


def test_symmetric_divergence_is_both_divergences():
    p, q = (torch.randn(3, 4, dtype=torch.float64).log_softmax(1) for _ in range(2))
    both = F.kl_div(q, p, reduction="none", log_target=True) + F.kl_div(p, q, reduction="none", log_target=True)
    assert_close(symmetric_divergence(p, q), both.sum(1) / 2)
    assert_close(symmetric_divergence(p, p), torch.zeros(3, dtype=torch.float64))


OBJECTIVES = {
    "nt_xent": lambda a, b: nt_xent(a, b, torch.cat([a, b]), 0, 0.5),
    "info_nce": lambda a, b: info_nce(a, b, rows(6, seed=9), 0.2, rows(8, seed=8).view(4, 2, 5)),
    "negative_cosine": negative_cosine,
    "normalised_squared_error": normalised_squared_error,
    "co2": lambda a, b: symmetric_divergence(
        *(similarity_distribution(x, rows(6, seed=9), 0.1, (a * b).sum(1)) for x in (a, b))
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradient(name):
    a, b = rows(4).requires_grad_(), rows(4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(OBJECTIVES[name], (a, b))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_rows_may_come_in_any_order(name):
    a, b, order = rows(4), rows(4, seed=1), torch.tensor([2, 0, 3, 1])
    if name == "info_nce":
        extra = rows(8, seed=8).view(4, 2, 5)
        straight, turned = (info_nce(a[o], b[o], rows(6, seed=9), 0.2, extra[o]) for o in (slice(None), order))
    else:
        straight, turned = OBJECTIVES[name](a, b), OBJECTIVES[name](a[order], b[order])
    assert_close(straight[order], turned)


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_extreme_temperatures_stay_finite(name):
    a, b = rows(4).float(), rows(4, seed=1).float()
    candidates = torch.cat([a, b])
    for t in (1e-3, 1e3):
        loss = nt_xent(a, b, candidates, 0, t) if name == "nt_xent" else info_nce(a, b, candidates, t)
        assert torch.isfinite(loss).all()


@pytest.mark.parametrize("name", ["negative_cosine", "normalised_squared_error"])
def test_scale_does_not_matter(name):
    a, b = rows(4), rows(4, seed=1)
    assert_close(OBJECTIVES[name](7 * a, 0.01 * b), OBJECTIVES[name](a, b))
