"""The data that the loop goes through on interactions: indices alone, from which the views draw triples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from twofold.seam import Batch, Stream


class IndexStream(Stream[Batch]):
    """The indices of `count` triples an epoch, as the training loop takes data. Nothing is ever waited for."""

    waited = 0.0

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[Batch]:
        """A batch for each batch of indices."""
        return map(Batch, index_batches)
