"""The slow path: views that a user's own code makes, called with one picture after the other on the CPU."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.errors import UserError, clause
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.augmentations import Statistics, statistics_named
from twofold.pixels.views.colour import normalise_
from twofold.pixels.views.own import Called
from twofold.pixels.views.views import plain
from twofold.randomness import derive
from twofold.seam import Views

BEYOND = 0.5  # 0..1 by which floats may overshoot, as after a cubic kernel; values that were normalised go further
WANTED = "a view is a Pillow image, an array (S, S, 3) or a tensor (3, S, S), of bytes or of floats in 0..1"


class CalledViews:
    """Makes the views of a batch by calling what a user brought; elsewhere the same as `ImageViews`.

    called: with a Pillow image in RGB, or as `call(image=array)` where it is of albumentations. One callable makes one
    view, or gives a list of all; several make one each. torch's, NumPy's and Python's global generators, and those of
    albumentations, are set from (seed, epoch, index, view) before each call, and put back behind the last.
    size: pixels of the square views; those behind the first may be smaller, always alike. statistics: what all are
    normalised with. count: views of each image. names: of the images, for messages. tried: some of them, to learn what
    comes out. Raises UserError where that is nothing that can be learned from.

    steady: whether the same seeds gave the same views twice, so that a run goes on exactly. sides: of each view.
    """

    def __init__(
        self,
        called: Called,
        size: int,
        *,
        seed: int,
        statistics: str | Statistics,
        count: int,
        names: Sequence[str],
        tried: ImageBatch,
    ) -> None:
        self.called, self.size, self.seed, self.count, self.names = called, size, seed, count, names
        self.mean, self.std = statistics_named(statistics) if isinstance(statistics, str) else statistics
        if len(called.calls) not in (1, count):
            raise UserError(
                f"{called.name} are {len(called.calls)} callables for {count} views: give one, or one each."
            )
        with _put_back():
            first, again = (self._made(tried, 0) for _ in range(2))
        self.sides = [view.shape[-1] for view in first[0]]
        self._check_sides(first, tried)
        self.steady = all(
            torch.equal(one, other)
            for row, repeated in zip(first, again, strict=True)
            for one, other in zip(row, repeated, strict=True)
        )

    @torch.no_grad()
    def __call__(self, batch: ImageBatch, epoch: int) -> Views:
        """The views: float32 (B, 3, side, side) each (`sides`), of which nobody knows where they were cut from."""
        with plain(torch.device("cpu")), _put_back():
            rows = self._made(batch, epoch)
            self._check_sides(rows, batch)
            views = [normalise_(torch.stack(list(view)), (self.mean, self.std)) for view in zip(*rows, strict=True)]
        return Views([view.to(batch.pixels.device) for view in views], [], batch.index)

    def _made(self, batch: ImageBatch, epoch: int) -> list[list[Tensor]]:
        """The views of each image, float32 (3, side, side) in 0..1."""
        found, pixels = [], batch.pixels.cpu().numpy()
        for row, (index, (high, wide)) in enumerate(zip(batch.index.tolist(), batch.size.tolist(), strict=True)):
            picture = pixels[row, :, :high, :wide].transpose(1, 2, 0)
            made = call(self.called, picture, self.count, self.names[index], self.seed, epoch, index)
            if len(made) != self.count:
                raise UserError(
                    f"{self.called.name} gives {len(made)} views of a picture, and {self.count} are needed."
                )
            found.append(made)
        return found

    def _check_sides(self, rows: list[list[Tensor]], batch: ImageBatch) -> None:
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


def call(called: Called, picture: np.ndarray, count: int, where: str, seed: int, *keys: int | str) -> list[Tensor]:
    """The views of one picture, uint8 (H, W, 3): float32 (3, side, side) in 0..1 each.

    where: its name, for messages. Draws are functions of (seed, keys, view). Raises UserError for a callable that
    fails, and for what is no view.
    """
    made: list[Any] = []
    for view in range(count):
        one = called.calls[view % len(called.calls)]
        _set_generators(derive(seed, "own views", *keys, view), one)
        try:
            result = _called_with(one, picture)
        except Exception as error:  # it is the user's own code
            raise UserError(f'{called.name} fails on "{where}" ({type(error).__name__}: {clause(error)}).') from error
        if isinstance(result, list | tuple) and len(called.calls) == 1:
            made = list(result)
            break
        made.append(result)
    return [_in_0_to_1(one, called.name, where) for one in made]


def _called_with(one: Callable[..., Any], picture: np.ndarray) -> Any:
    """What a callable makes of a picture of its own, which it may change."""
    if any(kind.__module__.partition(".")[0] == "albumentations" for kind in type(one).__mro__):
        return one(image=np.array(picture, order="C"))["image"]
    return one(Image.fromarray(np.ascontiguousarray(picture)))


def _in_0_to_1(view: Any, name: str, where: str) -> Tensor:
    if isinstance(view, Image.Image):
        view = np.array(view.convert("RGB"))
    if isinstance(view, np.ndarray):
        found, shape = f"an array of {view.dtype} {list(view.shape)}", view.shape
        view = torch.from_numpy(np.array(view.transpose(2, 0, 1))) if view.ndim == 3 else view
    elif isinstance(view, Tensor):
        view = view.detach().cpu().as_subclass(Tensor)
        found, shape = f"a tensor of {str(view.dtype)[6:]} {list(view.shape)}", view.shape[1:] + view.shape[:1]
    else:
        found, shape = f"{type(view).__name__}", ()
    if len(shape) != 3 or shape[2] != 3 or shape[0] != shape[1] or not shape[0]:
        raise UserError(f'{name} gives {found} for "{where}": {WANTED}.')
    if view.dtype == torch.uint8:
        return view.float() / 255
    if not view.is_floating_point():
        raise UserError(f'{name} gives {found} for "{where}": {WANTED}.')
    low, high = float(view.min()), float(view.max())
    if not (low >= -BEYOND and high <= 1 + BEYOND):
        raise UserError(
            f'{name} gives values from {low:.3g} to {high:.3g} for "{where}": floats are to lie in 0..1, and twofold '
            "normalises them itself, by --statistics."
        )
    return view.float().clamp(0, 1)


def _set_generators(number: int, one: Callable[..., Any]) -> None:
    """The global generators, and those that albumentations hands to its parts, from a number."""
    torch.default_generator.manual_seed(number)
    np.random.seed(number & 0xFFFFFFFF)
    random.seed(number)
    if hasattr(one, "set_random_state"):
        one.set_random_state(np.random.default_rng(number), random.Random(number))


@contextmanager
def _put_back() -> Iterator[None]:
    """The global generators are behind this block what they were before."""
    states = torch.default_generator.get_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.default_generator.set_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
