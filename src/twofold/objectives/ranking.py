"""Losses of collaborative filtering: pairwise ranking (BPR) and contrast with row-chunked log-sum-exp (SGL)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """-log sigmoid(positive - negative) of each score pair, (B,), (B,) -> (B,) (Rendle et al., UAI 2009)."""
    return F.softplus(negative - positive)


def half_squares(*rows: Tensor) -> Tensor:
    """Half the sum of squares of each row of several tensors (B, d), added up: (B,)."""
    return torch.stack([part.square().sum(1) for part in rows]).sum(0) / 2


class _LogSumExp(torch.autograd.Function):
    """log sum_j exp(a_i . c_j / temperature) of each row i; products of several chunks are made twice, not kept."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, candidates: Tensor, temperature: float, chunk: int) -> Tensor:
        parts = [_shares(part, candidates, temperature) for part in rows.split(chunk)]
        kept = parts[0][0] if len(parts) == 1 else None
        ctx.save_for_backward(rows, candidates, kept)
        ctx.temperature, ctx.chunk = temperature, chunk
        return torch.cat([total for _, total in parts])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        rows, candidates, kept = ctx.saved_tensors
        to_rows, to_candidates = torch.empty_like(rows), torch.zeros_like(candidates)
        for at in range(0, len(rows), ctx.chunk):
            own = slice(at, at + ctx.chunk)
            share = _shares(rows[own], candidates, ctx.temperature)[0] if kept is None else kept
            scaled = rows[own] * (gradient[own, None] / ctx.temperature)
            to_rows[own] = (share @ candidates) * (gradient[own, None] / ctx.temperature)
            to_candidates.addmm_(share.T, scaled)
        return to_rows, to_candidates, None, None


def _shares(rows: Tensor, candidates: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """(softmax of the products over the temperature (b, M), their log-sum-exp (b,)), with one exponential each."""
    products = (rows / temperature) @ candidates.T
    highest = products.amax(1, keepdim=True)
    total = products.sub_(highest).exp_().sum(1, keepdim=True)
    return products.div_(total), (highest + total.log())[:, 0]


def contrast(anchors: Tensor, own: Tensor, candidates: Tensor, temperature: float, memory: int = 2**26) -> Tensor:
    """Each anchor picks its counterpart among the candidates: -log of its share of the softmax (Wu et al., SIGIR 2021,
    equation 10).

    anchors, own: (B, d) unit rows of two views of the same nodes. candidates: (M, d) unit, the counterparts being among
    them. memory: values that may be held at once; the products are made in chunks of rows. Returns (B,).
    """
    chunk = max(memory // max(len(candidates), 1), 1)
    total = _LogSumExp.apply(anchors, candidates, temperature, chunk)
    return total - (anchors * own).sum(1) / temperature
