"""Rows of numbers in a .nums file, and their views."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.nets.features import Features
from twofold.randomness import generator
from twofold.seam import Batch, Stream, Views


@dataclass
class Rows(Batch):
    """A batch with its numbers, float32 (B, columns)."""

    numbers: Tensor


class Numbers(Stream[Rows]):
    """The rows of a file, with the interface that the loop asks of data."""

    waited = 0.0

    def __init__(self, path: str) -> None:
        try:
            text = Path(path).read_text()
            self.rows = torch.tensor([[float(cell) for cell in line.split()] for line in text.splitlines()])
        except (OSError, ValueError) as error:
            raise UserError(f"{path} holds no rows of numbers ({error}): give another file.") from error
        self.fingerprint = hashlib.blake2b(text.encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[Rows]:
        for index in index_batches:
            yield Rows(index, self.rows[index])


class Small(nn.Module):
    """Numbers to features."""

    width = 8

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.layer = nn.Linear(columns, self.width)

    def forward(self, x: Tensor) -> Features:
        return Features(None, self.layer(x).relu())


@dataclass(frozen=True)
class Noise:
    """Two noisy views of every row, a function of (seed, epoch, index)."""

    spread: float
    seed: int

    def __call__(self, batch: Rows, epoch: int) -> Views:
        views = []
        for view in (0, 1):
            drawn = [
                torch.randn(batch.numbers.shape[1], generator=generator(self.seed, "noise", epoch, view, i))
                for i in batch.index.tolist()
            ]
            views.append(batch.numbers + self.spread * torch.stack(drawn))
        return Views(views, [], batch.index)
