"""What methods with views of several sizes share (multi-crop, Caron et al., NeurIPS 2020, 2006.09882)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Look
from twofold.seam import Progress


def look_by_size(network: Callable[[Tensor], Look], images: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
    """The looks at some views, those of one size that follow one another in one pass (as the authors' code has it)."""
    looks: dict[int, Look] = {}
    for _, alike in itertools.groupby(wanted, key=lambda view: images[view].shape):
        views = list(alike)
        joined, batch = network(torch.cat([images[view] for view in views])), len(images[views[0]])
        for place, view in enumerate(views):
            own = slice(place * batch, (place + 1) * batch)
            looks[view] = joined.each(lambda rows, own=own: rows[own])  # type: ignore[misc]
    return looks


class MultiCrop(JointEmbedding):
    """A method that compares two large views and some small ones by prototypes: the mean over all directions."""

    prototypes: nn.Linear
    frozen_epochs: int

    @staticmethod
    def small_guess_large(small: int) -> tuple[tuple[int, int], ...]:
        """The directions: every view, the two large ones first, guesses each large one but itself."""
        return tuple((i, j) for i in range(2 + small) for j in (0, 1) if i != j)

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        return look_by_size(self.student, shown, wanted)

    def prototype_rows(self, progress: Progress) -> Tensor:
        """The prototypes (K, D), without gradient in the epochs in which they do not learn."""
        rows = self.prototypes.weight
        return rows.detach() if progress.epoch < self.frozen_epochs else rows

    def combine(self, losses: list[Tensor]) -> Tensor:
        return torch.stack(losses).mean()
