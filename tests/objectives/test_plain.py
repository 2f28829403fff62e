"""Losses of two batches as one number, against loops and against the rows that the methods use."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.objectives import barlow_twins, byol, info_nce, negative_cosine, nt_xent, vicreg


@pytest.fixture
def rows():
    torch.manual_seed(0)
    return [torch.randn(6, 5, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


def test_nt_xent(rows):
    every = [*rows[0], *rows[1]]
    losses = []
    for i, own in enumerate(every):
        others = [math.exp(cosine(own, other) / 0.3) for j, other in enumerate(every) if j != i]
        losses.append(-math.log(math.exp(cosine(own, every[(i + 6) % 12]) / 0.3) / sum(others)))
    found = nt_xent(*rows, temperature=0.3)
    assert found.item() == pytest.approx(sum(losses) / 12)
    assert_close(nt_xent(*rows, temperature=0.3, gathered=True), found)
    torch.autograd.gradcheck(nt_xent, rows)


def test_info_nce(rows):
    stored = torch.randn(4, 5, dtype=torch.float64)
    by_queue, in_batch = [], []
    for i, own in enumerate(rows[0]):
        key = math.exp(cosine(own, rows[1][i]) / 0.2)
        by_queue.append(-math.log(key / (key + sum(math.exp(cosine(own, one) / 0.2) for one in stored))))
        in_batch.append(-math.log(key / sum(math.exp(cosine(own, one) / 0.2) for one in rows[1])))
    assert info_nce(*rows, stored).item() == pytest.approx(sum(by_queue) / 6)
    assert info_nce(*rows).item() == pytest.approx(sum(in_batch) / 6)
    assert_close(info_nce(*rows, gathered=True), info_nce(*rows))
    torch.autograd.gradcheck(lambda a, b: info_nce(a, b, stored), rows)


def test_regressions(rows):
    mean = sum(cosine(a, b) for a, b in zip(*rows, strict=True)) / 6
    assert negative_cosine(*rows).item() == pytest.approx(-mean) and byol(*rows).item() == pytest.approx(2 - 2 * mean)
    byol(*rows).backward()
    assert rows[0].grad is not None and rows[1].grad is None


def test_decorrelations(rows):
    one, other = ((part - part.mean(0)) / part.std(0, unbiased=False) for part in rows)
    matrix = one.T @ other / 6
    off = matrix - torch.diag(matrix.diagonal())
    expected = (1 - matrix.diagonal()).square().sum() + 0.01 * off.square().sum()
    assert_close(barlow_twins(*rows, redundancy=0.01), expected, atol=1e-3, rtol=1e-3)
    apart = (rows[0] - rows[1]).square().mean()
    missing = torch.stack([F.relu(1 - (part.var(0) + 1e-4).sqrt()).mean() for part in rows]).mean()
    shared = sum((c - torch.diag(c.diagonal())).square().sum() / 5 for c in (torch.cov(part.T) for part in rows))
    assert_close(vicreg(*rows, gathered=True), 25 * apart + 25 * missing + shared)
    assert_close(vicreg(*rows), vicreg(*rows, gathered=True))


def test_batches_that_do_not_fit_are_refused(rows):
    for loss in (nt_xent, info_nce, negative_cosine, byol, barlow_twins, vicreg):
        with pytest.raises(UserError, match="The two batches must both be"):
            loss(rows[0], rows[1][:3])
    with pytest.raises(UserError, match="temperature must be a number above 0"):
        nt_xent(*rows, temperature=0)
