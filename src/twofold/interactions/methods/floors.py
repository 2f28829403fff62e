"""Rankers that need no training: methods of their own, and what a trained one must beat."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from twofold.errors import above_zero
from twofold.interactions.evaluation.ranking import top_items
from twofold.interactions.graph import Bipartite, product
from twofold.interactions.ragged import Ragged
from twofold.seam import Part

_BLOCK = 128  # users, or items, whose dense columns are held at a time


class Floor(Part):
    """A formula over the pairs that ranks all items for every user."""

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor:
        """(b, I) for users (b,), by the pairs or by what other users have."""
        raise NotImplementedError


class Popularity(Floor):
    """The same for everybody: an item's score is its number of users."""

    def __init__(self, data: Bipartite) -> None:
        self.degree = Ragged.of(data.pairs.flip(1), data.items).count().float()

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor:
        """(b, I) for users (b,); one row, seen b times."""
        return self.degree.expand(len(users), -1)


class GraphFilter(Floor):
    """The linear half of GF-CF (Shen et al., CIKM 2021): scores = R N^T N, N = D_u^(-1/2) R D_i^(-1/2), a user's row of
    R as it is."""

    def __init__(self, data: Bipartite) -> None:
        self.by_user, by_item = Ragged.of(data.pairs, data.users), Ragged.of(data.pairs.flip(1), data.items)
        user, item = (_inverse_root(side.count()) for side in (self.by_user, by_item))
        self.matrix, self.transposed = _sparse(self.by_user, user, item), _sparse(by_item, item, user)

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor:
        """(b, I) for users (b,), float32. Beside the result it holds 2 I + U numbers for each of 128 users."""
        items = self.matrix.shape[1]
        found = torch.empty(len(users), items)
        for block, into in zip(users.split(_BLOCK), found.split(_BLOCK), strict=True):
            rows = _columns(having or self.by_user, block, items)
            into.copy_(product(self.transposed, product(self.matrix, rows)).T)
        return found


class ItemKNN(Floor):
    """An item's score is the sum of the cosines with those of its nearest items that the user has.

    The cosine of two items is |users of both| / sqrt(|users of one| |users of the other|); an item is the nearest
    to itself. Of equally near items the lower id counts.

    Args:
        neighbours: Number of nearest items that count.
    """

    def __init__(self, data: Bipartite, *, neighbours: int = 100) -> None:
        above_zero(neighbours=neighbours)
        users, items = data.users, data.items
        self.by_user, by_item = Ragged.of(data.pairs, users), Ragged.of(data.pairs.flip(1), items)
        degree = by_item.count().clamp_min(1)
        # Squared cosines times an item's own degree are ratios of whole numbers, so ties are exact while these are.
        degree = degree.float() if int(degree.amax()) < 4096 else degree.double()
        transposed = _sparse(by_item, torch.ones(items), torch.ones(users))
        width = min(neighbours, items)
        ids, cosine = torch.empty(items, width, dtype=torch.int64), torch.empty(items, width)
        for block in torch.arange(items).split(_BLOCK):
            both = product(transposed, _columns(by_item, block, users)).T.contiguous().to(degree.dtype)
            squares = both.square_().div_(degree)
            ids[block] = top_items(squares, None, block, width)
            cosine[block] = (squares.gather(1, ids[block]) / degree[block, None]).sqrt().float()
        candidate, place = torch.nonzero(cosine > 0, as_tuple=True)
        neighbour, order = ids[candidate, place].sort(stable=True)
        counts = torch.bincount(neighbour, minlength=items)
        # Of each item, the places in `candidate`, the items it is near to, and in `cosine`.
        self.near = Ragged(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), torch.arange(len(neighbour)))
        self.candidate, self.cosine = candidate[order], cosine[cosine > 0][order]

    def scores(self, users: Tensor, having: Ragged | None = None) -> Tensor:
        """(b, I) for users (b,), float32."""
        items = len(self.near)
        found = torch.zeros(len(users), items)
        for block, into in zip(users.split(_BLOCK), found.split(_BLOCK), strict=True):
            row, item = (having or self.by_user).rows(block)
            own, place = self.near.rows(item)
            into.view(-1).index_add_(0, row[own] * items + self.candidate[place], self.cosine[place])
        return found


def _inverse_root(degree: Tensor) -> Tensor:
    return degree.float().rsqrt().masked_fill(degree == 0, 0)


def _columns(ragged: Ragged, block: Tensor, height: int) -> Tensor:
    """Dense float32 (height, b): column c is 1 at the entries of block[c], else 0."""
    column, entry = ragged.rows(block)
    columns = torch.zeros(height, len(block))
    columns[entry, column] = 1.0
    return columns


def _sparse(ragged: Ragged, row_factor: Tensor, column_factor: Tensor) -> Tensor:
    """Sparse CSR (rows, columns) with row_factor * column_factor at each pair."""
    row = torch.repeat_interleave(ragged.count())
    values = row_factor[row] * column_factor[ragged.items]
    shape = (len(row_factor), len(column_factor))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(ragged.offsets, ragged.items, values, shape, check_invariants=False)
