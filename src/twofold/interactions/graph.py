"""The graph of users and items: its normalised adjacency as one sparse matrix, and products with it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
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
    index = torch.int32 if max(len(row), size) < 2**31 else torch.int64
    offsets = torch.cat([degree.new_zeros(1), degree.cumsum(0)]).to(index)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        values = factor[row] * factor[column]
        return torch.sparse_csr_tensor(offsets, column.to(index), values, (size, size), check_invariants=False)


def product(matrix: Tensor, rows: Tensor) -> Tensor:
    """matrix @ rows for a sparse CSR matrix (N, M) and rows (M, d): (N, d), without a gradient.

    On a CPU as weighted sums of embeddings, which torch computes 3 to 8 times as fast as the product by that name.
    """
    if rows.device.type != "cpu":
        return matrix @ rows
    column, offsets, weight = matrix.col_indices(), matrix.crow_indices(), matrix.values()
    return F.embedding_bag(
        column, rows.detach(), offsets, mode="sum", per_sample_weights=weight, include_last_offset=True
    )


class _Propagation(torch.autograd.Function):
    """The mean of rows and all their layers; with symmetric matrices the gradient takes the same products backwards."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, *matrices: Tensor) -> Tensor:
        ctx.matrices = matrices
        total, layer = rows.clone(), rows
        for matrix in matrices:
            layer = product(matrix, layer)
            total += layer
        return total.div_(len(matrices) + 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        total = gradient.clone()
        for matrix in reversed(ctx.matrices):
            total = product(matrix, total).add_(gradient)
        return total.div_(len(ctx.matrices) + 1), *(None for _ in ctx.matrices)


def propagate(matrices: Sequence[Tensor], rows: Tensor) -> Tensor:
    """The mean of the rows (N, d) and of what each layer makes of them, one symmetric sparse matrix a layer.

    E^{k+1} = A_k E^k; Z = mean of E^0 .. E^K (He et al., SIGIR 2020, equations 7 and 4, with equal weights).
    """
    return _Propagation.apply(rows, *matrices)
