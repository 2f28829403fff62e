"""SIGReg: whether rows look like draws from N(0, I), asked of random slices by the test of Epps and Pulley (LeJEPA)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.processes import total


class Knots(NamedTuple):
    """Where characteristic functions are compared, evenly from 0 on: (T,) each, float64.

    t: the places. expected: the characteristic function of N(0, 1) there. weights: of the squared differences.
    """

    t: Tensor
    expected: Tensor
    weights: Tensor


def knots(reach: float = 3.0, count: int = 17) -> Knots:
    """The trapezoid over -reach to reach with 2 count - 1 knots, on its right half, the window being exp(-t^2 / 2)."""
    t = torch.linspace(0.0, reach, count, dtype=torch.float64)
    expected = (-t.square() / 2).exp()
    widths = torch.full_like(t, 2 * reach / (count - 1))
    widths[[0, -1]] /= 2
    return Knots(t, expected, widths * expected)


def slices(dim: int, count: int, generator: torch.Generator) -> Tensor:
    """Random directions: unit columns, float32 (dim, count)."""
    drawn = torch.randn(dim, count, generator=generator)
    return drawn / drawn.norm(dim=0)


def epps_pulley(values: Tensor, at: Knots) -> Tensor:
    """N Σ_k w_k |mean exp(i t_k x) - exp(-t_k^2 / 2)|^2 of each column: (..., N, M) -> (..., M), differentiable.

    N counts the rows of all processes, whose sums are exchanged. Of draws from N(0, 1) the expectation is
    Σ w_k (1 - exp(-t_k^2)), whatever N (1.05 for 17 knots up to 3); zeros alone give 0.40 N (LeJEPA, Balestriero &
    LeCun, 2025, 2511.08544, after Epps & Pulley, 1983). In the precision of the values; the memory does not grow with
    the number of knots.
    """
    rows = total(values.new_tensor(float(values.shape[-2])))
    cosine, sine = total(_Sums.apply(values, float(at.t[1]), len(at.t))) / rows
    expected, weights = (part.to(values).view(-1, *[1] * (cosine.ndim - 1)) for part in at[1:])
    return rows * (weights * ((cosine - expected).square() + sine.square())).sum(0)


def sigreg(rows: Tensor, directions: Tensor, at: Knots) -> Tensor:
    """The mean of Epps and Pulley's test over all slices of all views, each view by itself: a scalar.

    rows: (V, N, D), as the projector gives them. directions: (D, M), unit columns, the same in every process.
    """
    return epps_pulley(rows @ directions.to(rows), at).mean()


class _Sums(torch.autograd.Function):
    """Sums over the rows of cos(k step x) and sin(k step x) for k = 0 ... count - 1: (..., N, M) -> (2, count, ..., M).

    Each angle follows from the one before by a turn, here and in the gradient, so that nothing but x is kept.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float, count: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.step = step
        return torch.stack([torch.stack([c.sum(-2), s.sum(-2)]) for c, s in _turns(x, step, count)], 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        found = torch.zeros_like(x)
        for k, (c, s) in enumerate(_turns(x, ctx.step, gradient.shape[1])):
            of_cosine, of_sine = gradient[:, k].unsqueeze(-2)
            found += ctx.step * k * (of_sine * c - of_cosine * s)
        return found, None, None


def _turns(x: Tensor, step: float, count: int) -> Any:
    """Pairs cos(k step x), sin(k step x) for k = 0 ... count - 1."""
    turn_c, turn_s = (step * x).cos(), (step * x).sin()
    c, s = torch.ones_like(x), torch.zeros_like(x)
    for _ in range(count):
        yield c, s
        c, s = c * turn_c - s * turn_s, s * turn_c + c * turn_s
