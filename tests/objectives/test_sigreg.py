"""SIGReg: against loops in float64, what it says of clouds that are known, what changes nothing, and its memory."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch.testing import assert_close

from twofold.objectives.sigreg import Knots, epps_pulley, knots, sigreg, slices


def naive(z, directions, reach, count):
    """By complex exponentials over the whole symmetric grid, view by view, slice by slice; its gradient by hand."""
    views, n, dim = z.shape
    grid = [reach * k / (count - 1) for k in range(1 - count, count)]
    width = [reach / (count - 1) * (0.5 if k in (0, len(grid) - 1) else 1.0) for k in range(len(grid))]
    value, gradient = 0.0, torch.zeros_like(z)
    for v in range(views):
        for m in range(directions.shape[1]):
            x = [sum(z[v, i, d].item() * directions[d, m].item() for d in range(dim)) for i in range(n)]
            for t, w in zip(grid, width, strict=True):
                window = math.exp(-t * t / 2)
                off = sum(cmath.exp(1j * t * xi) for xi in x) / n - window
                value += n * w * window * abs(off) ** 2 / (views * directions.shape[1])
                for i in range(n):
                    slope = 2 * w * window * t * (off.conjugate() * 1j * cmath.exp(1j * t * x[i])).real
                    gradient[v, i] += slope * directions[:, m] / (views * directions.shape[1])
    return value, gradient


def cloud(n=128, dim=64, views=1, seed=0, dtype=torch.float64):
    return torch.randn(views, n, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def some(dim=64, count=256, seed=1):
    return slices(dim, count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("reach", "count"), [(3.0, 17), (5.0, 6), (1.0, 2)])
def test_values_and_gradients_are_those_of_loops(reach, count):
    z, directions = cloud(5, 3, views=2).mul(1.5).add(0.3).requires_grad_(), some(3, 4).double()
    value = sigreg(z, directions, knots(reach, count))
    value.backward()
    expected, gradient = naive(z.detach(), directions, reach, count)
    assert value.item() == pytest.approx(expected, abs=1e-10)
    assert_close(z.grad, gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("reach", "expected"), [(3.0, 1.05246), (5.0, 1.05942)])
def test_a_gaussian_cloud_is_at_the_expectation(reach, expected):
    at = knots(reach)
    assert (at.weights * (1 - at.expected.square())).sum().item() == pytest.approx(expected, abs=1e-5)
    found = [sigreg(cloud(seed=s), some(seed=s), at) for s in range(64)]
    assert torch.stack(found).mean().item() == pytest.approx(expected, abs=0.05)


def test_a_total_collapse_has_its_value_and_no_gradient():
    at, z = knots(), torch.zeros(2, 128, 8, dtype=torch.float64, requires_grad=True)
    value = sigreg(z, some(8), at)
    value.backward()
    assert_close(value.detach(), 128 * (at.weights * (1 - at.expected).square()).sum())
    assert not z.grad.any()


WRONG = {
    "half as wide": lambda z: z / 2,
    "twice as wide": lambda z: z * 2,
    "moved": lambda z: z + 1,
    "half of the dimensions dead": lambda z: torch.cat([z[..., :32], torch.zeros_like(z[..., 32:])], -1),
    "of rank one": lambda z: z[..., :1] * torch.ones(64, dtype=z.dtype),
    "of unit rows": lambda z: z / z.norm(dim=-1, keepdim=True),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_clouds_of_other_shapes_are_told(change):
    assert sigreg(change(cloud()), some(), knots()) > 5


def test_rows_close_together_are_driven_apart():
    z = (cloud(64, 8, dtype=torch.float32) * 0.01).requires_grad_()
    optimizer = torch.optim.SGD([z], 1.0)
    for step in range(300):
        optimizer.zero_grad()
        sigreg(z, some(8, seed=step), knots()).backward()
        optimizer.step()
    assert 0.9 < z.std() < 1.1


def test_what_changes_nothing():
    z, directions, at = cloud(20, 6, views=2), some(6), knots()
    value = sigreg(z, directions, at)
    assert_close(sigreg(z[:, torch.randperm(20)], directions, at), value)
    assert_close(sigreg(-z, directions, at), value)
    assert_close(sigreg(z.flip(0), directions, at), value)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))[0]
    assert_close(sigreg(z @ turn, turn.T @ directions.double(), at), value, rtol=1e-6, atol=0)


def test_float32_is_close_to_float64():
    z, directions = cloud(256, 64, views=2), some()
    exact = sigreg(z, directions, knots())
    assert_close(sigreg(z.float(), directions, knots()).double(), exact, rtol=1e-5, atol=0)


def test_slices_are_unit_columns_drawn_anew_and_alike_from_one_seed():
    drawn = torch.Generator().manual_seed(3)
    first, second = slices(16, 100, drawn), slices(16, 100, drawn)
    assert_close(first.norm(dim=0), torch.ones(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, slices(16, 100, torch.Generator().manual_seed(3)))
    assert not first.requires_grad


def test_memory_does_not_grow_with_the_knots():
    def kept(count):
        sizes = []
        values = cloud(512, 4).requires_grad_() * 1.0
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            epps_pulley(values, knots(3.0, count))
        return max(sizes)

    assert kept(65) == kept(17) == 512 * 4


def test_knots_weigh_like_the_trapezoid_over_both_halves():
    at = knots(2.0, 5)
    assert isinstance(at, Knots)
    assert_close(at.weights / at.expected, torch.tensor([0.5, 1.0, 1.0, 1.0, 0.5], dtype=torch.float64))
