"""Contrast against naive loops in float64, gradient checks, invariances; hard negatives by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.objectives.contrastive import (
    info_nce,
    info_nce_each,
    info_nce_in_batch,
    mix_rows,
    nt_xent,
    temporal_nce,
    uniformity,
    weighted,
)


def rows(*shape, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=drawn, dtype=torch.float64), dim=-1)


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


@pytest.mark.parametrize("offset", [0, 2])
def test_nt_xent_is_the_loop_of_the_paper(offset):
    first, second, t = rows(6, 5, seed=1), rows(6, 5, seed=2), 0.3
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
    q, k, queue, extra, t = rows(4, 5), rows(4, 5, seed=1), rows(7, 5, seed=2), rows(12, 5, seed=3).view(4, 3, 5), 0.2
    for given in (None, extra):
        for b, loss in enumerate(info_nce(q, k, queue, t, given).tolist()):
            own = [] if given is None else list(given[b])
            positive = math.exp(dot(q[b], k[b]) / t)
            total = positive + sum(math.exp(dot(q[b], n) / t) for n in [*queue, *own])
            assert loss == pytest.approx(-math.log(positive / total), abs=1e-12)


def test_without_negatives_the_loss_is_0_and_has_no_gradient():
    q, k = rows(4, 5).requires_grad_(), rows(4, 5, seed=1)
    for loss in (info_nce(q, k, rows(0, 5), 0.2), info_nce_each(q, k[:, None], rows(0, 5), 0.2)):
        assert loss.abs().max() == 0
        (gradient,) = torch.autograd.grad(loss.sum(), q)
        assert gradient.abs().max() == 0


CONTRASTS = {
    "nt_xent": lambda a, b: nt_xent(a, b, torch.cat([a, b]), 0, 0.5),
    "info_nce": lambda a, b: info_nce(a, b, rows(6, 5, seed=9), 0.2, rows(8, 5, seed=8).view(4, 2, 5)),
}


@pytest.mark.parametrize("name", CONTRASTS)
def test_gradient(name):
    a, b = rows(4, 5).requires_grad_(), rows(4, 5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(CONTRASTS[name], (a, b))


def test_rows_may_come_in_any_order():
    a, b, order = rows(4, 5), rows(4, 5, seed=1), torch.tensor([2, 0, 3, 1])
    assert_close(CONTRASTS["nt_xent"](a, b)[order], CONTRASTS["nt_xent"](a[order], b[order]))
    extra = rows(8, 5, seed=8).view(4, 2, 5)
    straight, turned = (info_nce(a[o], b[o], rows(6, 5, seed=9), 0.2, extra[o]) for o in (slice(None), order))
    assert_close(straight[order], turned)


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_extreme_temperatures_stay_finite(name):
    a, b = rows(4, 5).float(), rows(4, 5, seed=1).float()
    candidates = torch.cat([a, b])
    for t in (1e-3, 1e3):
        loss = nt_xent(a, b, candidates, 0, t) if name == "nt_xent" else info_nce(a, b, candidates, t)
        assert torch.isfinite(loss).all()


@pytest.mark.parametrize("offset", [0, 3])
@pytest.mark.parametrize("more", [False, True])
def test_info_nce_in_batch_is_the_loop_of_the_paper(offset, more):
    queries, keys, t = rows(4, 5), rows(7, 5, seed=1), 0.3
    extra = rows(8, 5, seed=2).view(4, 2, 5) if more else None
    for b, loss in enumerate(info_nce_in_batch(queries, keys, t, offset, extra).tolist()):
        everyone = [*keys, *(extra[b] if more else [])]
        shares = [math.exp(dot(queries[b], key) / t) for key in everyone]
        assert loss == pytest.approx(-math.log(shares[offset + b] / sum(shares)), abs=1e-12)


def test_info_nce_in_batch_has_a_gradient_and_any_order():
    queries, keys, extra = rows(4, 5), rows(4, 5, seed=1), rows(8, 5, seed=2).view(4, 2, 5)
    given = [t.requires_grad_() for t in (queries, keys, extra)]
    assert torch.autograd.gradcheck(lambda q, k, e: info_nce_in_batch(q, k, 0.5, 0, e), given)
    order = torch.tensor([2, 0, 3, 1])
    assert_close(info_nce_in_batch(queries[order], keys[order], 0.5), info_nce_in_batch(queries, keys, 0.5)[order])


def test_each_row_picks_its_own_among_what_each_teacher_says():
    z, outputs, t = rows(4, 5), rows(3, 4, 5, seed=1), 0.3
    found = temporal_nce(z, outputs, t)
    for n in range(3):
        for b in range(4):
            shares = [math.exp((z[b] @ outputs[n, k]).item() / t) for k in range(4)]
            assert found[n, b].item() == pytest.approx(-math.log(shares[b] / sum(shares)), abs=1e-12)


def test_a_process_has_its_rows_of_the_whole():
    z, outputs = rows(6, 5), rows(2, 6, 5, seed=1)
    assert_close(temporal_nce(z[2:4], outputs, 0.2, offset=2), temporal_nce(z, outputs, 0.2)[:, 2:4])


def test_weights_and_their_entropy():
    losses, logits, bonus = torch.rand(3, 4, dtype=torch.float64), rows(3, 4, seed=2), 0.1
    log_importance = logits.log_softmax(0)
    found = weighted(losses, log_importance, bonus)
    for b in range(4):
        w = [math.exp(v) for v in log_importance[:, b].tolist()]
        entropy = -sum(x * math.log(x) for x in w)
        expected = sum(x * y for x, y in zip(w, losses[:, b].tolist(), strict=True)) - bonus * entropy
        assert found[b].item() == pytest.approx(expected, abs=1e-12)


def test_temporal_gradients():
    z, outputs, logits = (
        rows(3, 4).requires_grad_(),
        rows(2, 3, 4, seed=1).requires_grad_(),
        rows(2, 3).requires_grad_(),
    )

    def loss(z, outputs, logits):
        return weighted(temporal_nce(z, outputs, 0.5), logits.log_softmax(0), 0.1).sum()

    assert torch.autograd.gradcheck(loss, (z, outputs, logits))


def test_mixtures_are_normalised_weighted_sums():
    first, second, weight = rows(3, 4, 5), rows(3, 4, 5, seed=1), torch.rand(3, 4, dtype=torch.float64)
    found = mix_rows(first, second, weight)
    for b in range(3):
        for s in range(4):
            w = weight[b, s].item()
            mixed = [w * x + (1 - w) * y for x, y in zip(first[b, s].tolist(), second[b, s].tolist(), strict=True)]
            length = math.sqrt(sum(x * x for x in mixed))
            assert found[b, s].tolist() == pytest.approx([x / length for x in mixed], abs=1e-12)


def test_one_row_is_mixed_with_several():
    query, second, weight = rows(3, 1, 5), rows(3, 4, 5, seed=1), torch.rand(3, 4, dtype=torch.float64)
    assert_close(mix_rows(query, second, weight), mix_rows(query.expand(3, 4, 5), second, weight))


def test_uniformity_is_the_mean_over_pairs():
    z = rows(6, 4)
    values = [
        math.exp(-2 * sum((a - b) ** 2 for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)))
        for i in range(6)
        for j in range(6)
        if i != j
    ]
    assert uniformity(z).item() == pytest.approx(math.log(sum(values) / len(values)), abs=1e-12)
    assert uniformity(z[:1].repeat(4, 1)).item() == pytest.approx(0.0, abs=1e-9)
    assert uniformity(torch.eye(4, dtype=torch.float64)).item() == pytest.approx(-4.0)


def test_info_nce_has_the_gradient_of_its_formula_and_makes_one_table():
    drawn = torch.Generator().manual_seed(0)
    queries, keys, negatives = (F.normalize(torch.randn(n, 4, generator=drawn).double(), dim=1) for n in (5, 5, 7))
    extra = F.normalize(torch.randn(5, 3, 4, generator=drawn).double(), dim=2)
    queries.requires_grad_()
    assert torch.autograd.gradcheck(lambda q: info_nce(q, keys, negatives, 0.2), queries)
    assert torch.autograd.gradcheck(lambda q: info_nce(q, keys, negatives, 0.2, extra), queries)
    # Numbers that a naive exponential would not hold.
    assert torch.isfinite(info_nce(queries * 1e4, keys, negatives, 0.1)).all()


def test_each_of_several_keys_is_a_loss_by_itself():
    drawn = torch.Generator().manual_seed(0)
    queries, negatives = (F.normalize(torch.randn(n, 4, generator=drawn).double(), dim=1) for n in (5, 7))
    keys = F.normalize(torch.randn(5, 3, 4, generator=drawn).double(), dim=2)
    each = info_nce_each(queries.requires_grad_(), keys, negatives, 0.2)
    alone = torch.stack([info_nce(queries, keys[:, n], negatives, 0.2) for n in range(3)], 1)
    torch.testing.assert_close(each, alone)
    assert torch.autograd.gradcheck(lambda q: info_nce_each(q, keys, negatives, 0.2), queries)
