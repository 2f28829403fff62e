"""The slow path: the views of a batch by a user's own code, picture by picture on the CPU, in several processes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from twofold.errors import UserError, clause
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.augmentations import Statistics
from twofold.pixels.views.calls import generators_put_back, views_of
from twofold.pixels.views.channels import statistics_of
from twofold.pixels.views.colour import normalise_
from twofold.pixels.views.own import Called
from twofold.pixels.views.views import plain
from twofold.printable import say
from twofold.seam import Views

PARTS = 4  # of a batch for each process, so that none waits long for another


@dataclass(frozen=True)
class _Part:
    """Some pictures of a batch, uint8 (3, H, W) each, with their positions in the data."""

    pictures: list[np.ndarray]
    index: list[int]
    epoch: int


@dataclass(frozen=True)
class _Work(Dataset[Any]):
    """The views of a part, where a data set has an item: rows of arrays, or the mistake that was found."""

    called: Called
    count: int
    seed: int
    names: Sequence[str]

    def __getitem__(self, part: _Part) -> list[list[np.ndarray]] | UserError:
        try:
            with generators_put_back():
                return [self._row(*pair, part.epoch) for pair in zip(part.pictures, part.index, strict=True)]
        except UserError as error:
            return error

    def _row(self, picture: np.ndarray, index: int, epoch: int) -> list[np.ndarray]:
        made = views_of(self.called, picture.transpose(1, 2, 0), self.count, self.names[index], self.seed, epoch, index)
        if len(made) != self.count:
            raise UserError(f"{self.called.name} gives {len(made)} views of a picture, and {self.count} are needed.")
        return made


class CalledViews:
    """Makes the views of a batch by calling what a user brought; elsewhere the same as `ImageViews`.

    called: with a Pillow image in RGB, or as `call(image=array)` where it is of albumentations. One callable makes one
    view, or gives a list of all; several make one each. Their draws are functions of (seed, epoch, index, view): see
    `calls.views_of`.

    size: pixels of the square views; those behind the first may be smaller, always alike. statistics: what all are
    normalised with. count: views of each image. names: of the images, for messages. workers: processes, where there can
    be several (Linux). tried: some images, to learn what comes out. Raises UserError where that cannot be learned from.

    steady: whether the same seeds gave the same views twice, so that a run goes on exactly. sides: of each view.
    left_out: nothing, as these are for RGB alone.
    """

    left_out: Sequence[str] = ()

    def __init__(
        self,
        called: Called,
        size: int,
        *,
        seed: int,
        statistics: str | Statistics,
        count: int,
        names: Sequence[str],
        workers: int,
        tried: ImageBatch,
    ) -> None:
        self.called, self.size, self.count, self.names = called, size, count, names
        self.mean, self.std = statistics_of(statistics) if isinstance(statistics, str) else statistics
        if len(called.calls) not in (1, count):
            raise UserError(
                f"{called.name} has {len(called.calls)} callables for {count} views: give one, or one for each."
            )
        self._work = _Work(called, count, seed, names)
        self._parts: list[_Part] = []
        self.workers = workers if workers > 1 and sys.platform == "linux" else 1
        self._loader = None if self.workers == 1 else self._processes()
        first, again = (self._made(tried, 0) for _ in range(2))
        self.sides = [view.shape[-1] for view in first[0]]
        self._check_sides(first, tried)
        self.steady = all(
            np.array_equal(one, other)
            for row, repeated in zip(first, again, strict=True)
            for one, other in zip(row, repeated, strict=True)
        )
        if not self.steady:  # forks would all go on with the generator that they were born with, and draw alike
            self.workers, self._loader = 1, None

    @torch.no_grad()
    def __call__(self, batch: ImageBatch, epoch: int) -> Views:
        """The views: float32 (B, 3, side, side) each (`sides`), of which nobody knows where they were cut from."""
        rows = self._made(batch, epoch)
        self._check_sides(rows, batch)
        with plain(torch.device("cpu")):
            views = [normalise_(_stacked(view), (self.mean, self.std)) for view in zip(*rows, strict=True)]
        return Views([view.to(batch.pixels.device) for view in views], [], batch.index)

    def _processes(self) -> DataLoader[Any]:
        """Processes that make the views of `_parts`; they have what is to be called by being forks of this one."""
        return DataLoader(
            self._work,
            sampler=cast(Any, self._parts),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self.workers,
            persistent_workers=True,
            multiprocessing_context="fork",
            worker_init_fn=_deaf,
        )

    def _made(self, batch: ImageBatch, epoch: int) -> list[list[np.ndarray]]:
        """The views of each image, in order."""
        pixels, index = batch.pixels.cpu().numpy(), batch.index.tolist()
        pictures = [pixels[row, :, :high, :wide] for row, (high, wide) in enumerate(batch.size.tolist())]
        step = -(-len(index) // (PARTS * self.workers))
        starts = range(0, len(index), step)
        self._parts[:] = [_Part(pictures[i : i + step], index[i : i + step], epoch) for i in starts]
        rows: list[list[np.ndarray]] = []
        for made in map(self._work.__getitem__, self._parts) if self._loader is None else self._by_processes():
            if isinstance(made, UserError):
                raise made
            rows += made
        return rows

    def _by_processes(self) -> list[Any]:
        """What the processes make of the parts; this one does it, from here on, where one of them was ended."""
        assert self._loader is not None
        try:
            return list(self._loader)
        except RuntimeError as error:
            say(f"{self.called.name} is called in this process from here on: {clause(error)}.", sys.stderr)
            self._loader = None
            return [self._work[part] for part in self._parts]

    def _check_sides(self, rows: list[list[np.ndarray]], batch: ImageBatch) -> None:
        """Refuse views of other sizes than they are to have."""
        if self.sides[0] != self.size or max(self.sides) > self.size:
            raise UserError(
                f"{self.called.name} gives views of {max(self.sides)} px where the run has {self.size}: give "
                f"--image-size {max(self.sides)}, or make them of {self.size}."
            )
        for index, made in zip(batch.index.tolist(), rows, strict=True):
            sides = [view.shape[-1] for view in made]
            if sides != self.sides:
                raise UserError(
                    f'{self.called.name} gives views of {sides} px for "{self.names[index]}" where others are of '
                    f"{self.sides}: end with a crop or a resize to one size."
                )


def _deaf(worker: int) -> None:
    """Ctrl-C goes to all processes, and it is for the first to end a run, when its step is done; SIGTERM ends this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _as_it_is(made: Any) -> Any:
    return made


def _stacked(views: Sequence[np.ndarray]) -> Tensor:
    """float32 (B, 3, side, side) in 0..1."""
    tensors = map(torch.from_numpy, views)
    return torch.stack([view.float() / 255 if view.dtype == torch.uint8 else view for view in tensors])
