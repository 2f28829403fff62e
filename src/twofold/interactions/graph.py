"""The graph of users and items: its normalised adjacency as one sparse matrix, and products with it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Bipartite(NamedTuple):
    """What is learned from: distinct (user, item) pairs, int64 (E, 2), sorted, and how many of both there are."""

    pairs: Tensor
    users: int
    items: int


def adjacency(pairs: Tensor, users: int, items: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """D^(-1/2) A D^(-1/2) of the bipartite graph, sparse CSR (N, N), N = users + items.

    pairs: int64 (E, 2), distinct (user, item). Nodes are the users, then the items. A node without pairs keeps a row
    and a column of zeros (He et al., SIGIR 2020, equation 8). It is symmetric, entry for entry.
    """
    user, item = pairs[:, 0], pairs[:, 1] + users
    row, column = torch.cat([user, item]), torch.cat([item, user])
    size = users + items
    degree = torch.bincount(row, minlength=size)
    order = torch.argsort(row * size + column)
    row, column = row[order], column[order]
    factor = degree.to(dtype).rsqrt().masked_fill(degree == 0, 0)
    offsets = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        values = factor[row] * factor[column]
        return torch.sparse_csr_tensor(offsets, column, values, (size, size), check_invariants=False)


class _Symmetric(torch.autograd.Function):
    """The product of a symmetric sparse matrix with rows: its backward pass is the same product."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, rows: Tensor) -> Tensor:
        ctx.matrix = matrix
        return matrix @ rows

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, ctx.matrix @ gradient


def propagate(matrices: Sequence[Tensor], rows: Tensor) -> Tensor:
    """The mean of the rows (N, d) and of what each layer makes of them, one symmetric sparse matrix a layer.

    E^{k+1} = A_k E^k; Z = mean of E^0 .. E^K (He et al., SIGIR 2020, equations 7 and 4, with equal weights).
    """
    total = layer = rows
    for matrix in matrices:
        layer = _Symmetric.apply(matrix, layer)
        total = total + layer
    return total / (len(matrices) + 1)
