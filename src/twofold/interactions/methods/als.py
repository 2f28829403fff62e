"""ALS: Collaborative Filtering for Implicit Feedback Datasets (Hu, Koren and Volinsky, ICDM 2008), by the library
implicit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.errors import UserError, above_zero, clause, repeated
from twofold.interactions.graph import Bipartite
from twofold.randomness import derive
from twofold.resources import require, usable_cores
from twofold.seam import Part

LARGEST = 4096  # factors: a user of a fold-in takes their square


class ALS(Part):
    """Embeddings of users and items by least squares, those of one side at a time: every pair is to have the product 1,
    with confidence 1 + alpha, and every other user and item 0, with confidence 1.

    Args:
        factors: Width of the embeddings.
        regularisation: Weight of the squared embeddings.
        alpha: How much more a pair counts than the lack of one.
        iterations: Sweeps over users and items.
    """

    def __init__(
        self,
        data: Bipartite,
        *,
        factors: int = 64,
        regularisation: float = 0.1,
        alpha: float = 10.0,
        iterations: int = 15,
    ) -> None:
        above_zero(factors=factors, regularisation=regularisation, alpha=alpha, iterations=iterations)
        repeated(iterations=iterations)
        if factors > LARGEST:
            raise UserError(f"factors is {factors:,}: give at most {LARGEST:,}.")
        self.data, self.factors, self.regularisation = data, factors, regularisation
        self.alpha, self.iterations = alpha, iterations

    def fit(self, seed: int) -> tuple[Tensor, Tensor]:
        """Embeddings of users (U, d) and items (I, d), float32; where they start is drawn by the seed.

        The same seed gives the same bits, on any number of cores (with implicit 0.7 on a CPU). Raises UserError where
        implicit is missing, or the numbers leave float32.
        """
        implicit = library()
        from scipy.sparse import csr_matrix
        from threadpoolctl import threadpool_limits

        users, items = self.data.users, self.data.items
        require(8 * self.factors * (users + items), f"Embeddings of {self.factors:,} numbers", "give fewer factors")
        pairs = self.data.pairs.numpy()
        ones = np.ones(len(pairs), np.float32)
        matrix = csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(users, items))
        with threadpool_limits(1, "blas"):
            model = implicit.cpu.als.AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=1 + self.alpha,  # what the library calls alpha is the whole confidence of a pair
                iterations=self.iterations,
                random_state=derive(seed, "als"),
                num_threads=usable_cores(),
            )
            model.fit(matrix, show_progress=False)
        user, item = (torch.from_numpy(np.ascontiguousarray(side)) for side in (model.user_factors, model.item_factors))
        if not (torch.isfinite(user).all() and torch.isfinite(item).all()):
            raise UserError(
                "ALS has left the numbers that float32 holds: give a smaller alpha, or more regularisation."
            )
        return user, item

    def fold_in(self, item: Tensor, gram: Tensor, row: Tensor, own: Tensor, users: int) -> Tensor:
        """Embeddings (users, d) of new users: the least squares of their pairs over the items' embeddings as they are.

        item: (I, d). gram: item.T @ item. row, own: int64 (n,), a pair each, the place of a user, rising, and an item.
        """
        found = torch.zeros(users, item.shape[1])
        ridge = gram + self.regularisation * torch.eye(item.shape[1])
        for into, part in zip(found, own.split(torch.bincount(row, minlength=users).tolist()), strict=True):
            if len(part):
                having = item[part]
                into.copy_(torch.linalg.solve(ridge + self.alpha * having.T @ having, (1 + self.alpha) * having.sum(0)))
        return found


def library() -> Any:
    """The library implicit. Raises UserError where it cannot be imported."""
    try:
        import implicit
        import implicit.cpu.als
    except ImportError as error:
        raise UserError(
            f"als needs the library implicit, which cannot be imported ({clause(error)}): "
            f'pip install "twofold[implicit]".'
        ) from error
    return implicit
