"""The stream of an epoch's draws: numbers alone, from which the views make triples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from twofold.seam import Batch, Stream


class Draws(Stream):
    """`count` draws an epoch, with the interface that the training loop asks of data. Nothing is ever waited for."""

    waited = 0.0

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def stream(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """A batch of numbers for each batch of indices."""
        nothing = torch.empty(0, dtype=torch.uint8)
        for index in index_batches:
            yield Batch(nothing, nothing, index)
