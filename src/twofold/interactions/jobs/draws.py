"""The stream of an epoch's draws: numbers alone, from which the views make triples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from twofold.seam import Batch, Stream


class Draws(Stream[Batch]):
    """`count` draws an epoch, with the interface that the training loop asks of data. Nothing is ever waited for."""

    waited = 0.0

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def stream(self, index_batches: Iterable[Tensor]) -> Iterator[Batch]:
        """A batch of numbers for each batch of indices."""
        return map(Batch, index_batches)
