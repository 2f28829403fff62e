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
    """log sum_j exp(a_i . c_j / temperature) of each row i, the products being made twice and never kept."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, candidates: Tensor, temperature: float, chunk: int) -> Tensor:
        found = [(part @ candidates.T / temperature).logsumexp(1) for part in rows.split(chunk)]
        result = torch.cat(found)
        ctx.save_for_backward(rows, candidates, result)
        ctx.temperature, ctx.chunk = temperature, chunk
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        rows, candidates, result = ctx.saved_tensors
        to_rows, to_candidates = torch.empty_like(rows), torch.zeros_like(candidates)
        for at in range(0, len(rows), ctx.chunk):
            own = slice(at, at + ctx.chunk)
            share = (rows[own] @ candidates.T / ctx.temperature).sub_(result[own, None]).exp_()
            share *= gradient[own, None] / ctx.temperature
            to_rows[own] = share @ candidates
            to_candidates += share.T @ rows[own]
        return to_rows, to_candidates, None, None


def contrast(anchors: Tensor, own: Tensor, candidates: Tensor, temperature: float, memory: int = 2**26) -> Tensor:
    """Each anchor picks its counterpart among the candidates: -log of its share of the softmax (Wu et al., SIGIR 2021,
    equation 10).

    anchors, own: (B, d) unit rows of two views of the same nodes. candidates: (M, d) unit, the counterparts being among
    them. memory: values that may be held at once; the products are made in chunks of rows. Returns (B,).
    """
    chunk = max(memory // max(len(candidates), 1), 1)
    total = _LogSumExp.apply(anchors, candidates, temperature, chunk)
    return total - (anchors * own).sum(1) / temperature
