"""Cross-correlation, variance and covariance, whitening: against loops, gradient checks, invariances, extremes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.decorrelation import (
    apart_from_identity,
    cross_correlation,
    missing_deviation,
    shared_covariance,
    standardise,
    whiten,
    whiten_in_groups,
)


def stretched(n=7, d=4, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) * 3 + 2


def column(x, i):
    values = x[:, i].tolist()
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def correlation_by_hand(first, second, epsilon=1e-5):
    n, d = first.shape
    found = torch.empty(d, d, dtype=torch.float64)
    for i in range(d):
        for j in range(d):
            a, b = column(first, i), column(second, j)
            deviations = [math.sqrt(sum(v * v for v in c) / n + epsilon) for c in (a, b)]
            found[i, j] = sum(x * y for x, y in zip(a, b, strict=True)) / n / math.prod(deviations)
    return found


def test_the_correlation_and_its_two_sums_are_the_loops_of_the_paper():
    first, second = stretched(seed=1), stretched(seed=2)
    expected = correlation_by_hand(first, second)
    assert_close(cross_correlation(first, second), expected, rtol=0, atol=1e-12)
    own, others = apart_from_identity(expected)
    pairs = [(i, j) for i in range(4) for j in range(4)]
    assert own.item() == pytest.approx(sum((1 - expected[i, i].item()) ** 2 for i in range(4)), abs=1e-12)
    assert others.item() == pytest.approx(sum(expected[i, j].item() ** 2 for i, j in pairs if i != j), abs=1e-12)


def test_rows_are_standardised_as_batch_norm_does():
    x = stretched()
    assert_close(standardise(x), torch.nn.functional.batch_norm(x, None, None, training=True))


def test_gradient_of_the_correlation():
    def loss(first, second):
        own, others = apart_from_identity(cross_correlation(first, second))
        return own + 0.1 * others

    assert torch.autograd.gradcheck(
        loss, (stretched(5, seed=1).requires_grad_(), stretched(5, seed=2).requires_grad_())
    )


def test_order_place_and_scale_of_both_views_change_nothing():
    first, second = stretched(seed=1), stretched(seed=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    expected = cross_correlation(first, second)
    assert_close(cross_correlation(first[order], second[order]), expected)
    assert_close(cross_correlation(second, first), expected.T)
    # But for epsilon, each dimension may be moved and stretched.
    assert_close(
        cross_correlation(1e3 * first + 5, 1e3 * second), correlation_by_hand(first, second, 0.0), rtol=0, atol=1e-9
    )


def test_independent_dimensions_that_agree_have_no_loss_and_constants_have_no_correlation():
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    own, others = apart_from_identity(cross_correlation(signs, signs))
    assert own < 1e-8 and others < 1e-30
    own, others = apart_from_identity(cross_correlation(torch.ones(4, 2), torch.ones(4, 2)))
    assert (own, others) == (2, 0)


def narrow(n=7, d=4, seed=0, scale=0.9):
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) * scale + 2


def covariance_by_hand(x):
    n, d = x.shape
    means = [sum(x[b, i].item() for b in range(n)) / n for i in range(d)]
    return [
        [sum((x[b, i].item() - means[i]) * (x[b, j].item() - means[j]) for b in range(n)) / (n - 1) for j in range(d)]
        for i in range(d)
    ]


@pytest.mark.parametrize(("wanted", "epsilon"), [(1.0, 1e-4), (0.9, 0.1)])
def test_the_missing_deviation_is_the_loop_of_the_paper(wanted, epsilon):
    x = narrow()
    deviations = [math.sqrt(covariance_by_hand(x)[i][i] + epsilon) for i in range(4)]
    assert min(deviations) < wanted < max(deviations)
    expected = sum(max(0.0, wanted - deviation) for deviation in deviations) / 4
    assert missing_deviation(x, wanted, epsilon).item() == pytest.approx(expected, abs=1e-12)


def test_the_shared_covariance_is_the_loop_of_the_paper():
    x = narrow()
    found = covariance_by_hand(x)
    expected = sum(found[i][j] ** 2 for i in range(4) for j in range(4) if i != j) / 4
    assert shared_covariance(x).item() == pytest.approx(expected, abs=1e-12)


def test_gradients_of_the_regularisers():
    assert torch.autograd.gradcheck(missing_deviation, (narrow(5).requires_grad_(),))
    assert torch.autograd.gradcheck(shared_covariance, (narrow(5).requires_grad_(),))


def test_order_and_place_change_nothing():
    x = narrow()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    for measure in (missing_deviation, shared_covariance):
        assert_close(measure(x[order]), measure(x))
        assert_close(measure(x - 5), measure(x))
        assert_close(measure(x[:, [2, 0, 3, 1]]), measure(x))
    assert_close(shared_covariance(3 * x), 81 * shared_covariance(x))


def test_spread_that_suffices_costs_nothing_and_constant_rows_have_a_finite_gradient():
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    assert missing_deviation(2 * signs) == 0 and shared_covariance(2 * signs) == 0
    constant = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
    missing = missing_deviation(constant)
    assert missing.item() == pytest.approx(0.99)
    missing.backward()
    assert torch.isfinite(constant.grad).all()


def slanted(n=12, d=3, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=drawn, dtype=torch.float64)
    return torch.randn(n, d, generator=drawn, dtype=torch.float64) @ mixing + 2


def whitened_by_hand(x, epsilon):
    """L^-1 (x - mean), with L found entry by entry (Cholesky-Banachiewicz) and the triangle solved row by row."""
    n, d = x.shape
    mean = [sum(x[k, a].item() for k in range(n)) / n for a in range(d)]
    centred = [[x[k, a].item() - mean[a] for a in range(d)] for k in range(n)]
    cov = [[sum(r[a] * r[b] for r in centred) / (n - 1) for b in range(d)] for a in range(d)]
    cov = [[(1 - epsilon) * cov[a][b] + epsilon * (a == b) for b in range(d)] for a in range(d)]
    lower = [[0.0] * d for _ in range(d)]
    for a in range(d):
        for b in range(a + 1):
            rest = cov[a][b] - sum(lower[a][k] * lower[b][k] for k in range(b))
            lower[a][b] = math.sqrt(rest) if a == b else rest / lower[b][b]
    white = []
    for r in centred:
        z = []
        for a in range(d):
            z.append((r[a] - sum(lower[a][k] * z[k] for k in range(a))) / lower[a][a])
        white.append(z)
    return torch.tensor(white, dtype=torch.float64)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_whitening_is_the_inverse_factor_found_by_hand(epsilon):
    x = slanted()
    white, used = whiten(x, epsilon)
    assert_close(white, whitened_by_hand(x, epsilon), rtol=0, atol=1e-10)
    assert used.item() == pytest.approx(epsilon)


def test_gradient_of_whitening():
    assert torch.autograd.gradcheck(lambda x: whiten(x)[0], slanted(8).requires_grad_())


def test_moving_and_turning_triangularly_changes_nothing():
    x = slanted()
    turn = torch.tensor([[2.0, 0, 0], [1, 0.5, 0], [-1, 3, 1]], dtype=torch.float64)
    assert_close(whiten(x @ turn.T + 5)[0], whiten(x)[0], rtol=0, atol=1e-9)


def test_each_group_is_whitened_alone_and_rows_keep_their_places():
    x = slanted(12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    both = torch.stack([order, torch.arange(12)])
    white, _ = whiten_in_groups(x, both, 6)
    for n, each in enumerate(both):
        for group in each.split(6):
            assert_close(white[n, group], whiten(x[group])[0])
            assert_close(torch.cov(white[n, group].T), torch.eye(3, dtype=torch.float64))


def test_rows_without_spread_are_retried_with_the_next_epsilon():
    x = slanted()
    x[:, 2] = 1.0
    white, used = whiten(x)
    assert used.item() == pytest.approx(1e-6) and torch.isfinite(white).all()
    assert_close(white, whiten(x, used.item())[0])
    constant, used = whiten(torch.ones(6, 3, dtype=torch.float64))
    assert used.item() > 0 and torch.equal(constant, torch.zeros(6, 3, dtype=torch.float64))


def test_rows_that_are_not_finite_come_back_so():
    x = slanted()
    x[0, 0] = math.nan
    assert whiten(x)[0].isnan().any()
