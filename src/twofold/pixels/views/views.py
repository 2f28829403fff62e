"""Views of a batch: an augmentation applied to all images together, on the device of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.pixels.batch import RGB, ImageBatch
from twofold.pixels.views.apply import floats, render
from twofold.pixels.views.augmentations import (
    Augmentation,
    Blur,
    Channels,
    Crop,
    Operation,
    Statistics,
    augmentation_named,
)
from twofold.pixels.views.channels import for_channels, left_out, statistics_of
from twofold.pixels.views.colour import normalise_
from twofold.pixels.views.draw import Drawn, Draws, draw, geometry, side_of
from twofold.resources import one_thread
from twofold.seam import Views


class ImageViews:
    """Makes the views of a batch.

    augmentation: an Augmentation or its name. size: pixels of the square views, of which small crops have a share
    (`Crop.side`). statistics: name or (mean, deviation), for augmentations that normalise. count: views of each image.
    channels: None for RGB; else of the images, as they are, for which the augmentation is changed: see `for_channels`.
    Raises UserError for unknown names.

    colour: "exact" is torchvision's jitter. "linear" makes it one affine map of the colours, without clips in between
    and with the hue turned in YIQ: a sixth to a fifth cheaper on a CPU, less work for a GPU, and a visibly different
    jitter (on photographs a mean of 6 levels of 255 away for the ones for CIFAR, 9 for SimCLR's, 15 for MoCo v1's).

    left_out: operations that such channels do without, by name. mean, std: what the views are normalised with (0 and 1
    where the augmentation does not), for evaluation_view.
    """

    def __init__(
        self,
        augmentation: Augmentation | str,
        size: int,
        *,
        seed: int,
        statistics: str | Statistics = "imagenet",
        count: int = 2,
        colour: Literal["exact", "linear"] = "exact",
        channels: int | None = None,
    ) -> None:
        if colour not in ("exact", "linear"):
            raise UserError(f'Colour is "exact" or "linear", not "{colour}".')
        if colour == "linear" and channels not in (None, RGB):
            raise UserError(f"A linear jitter is one of RGB, not of {channels} channels: leave the colour at exact.")
        self.augmentation = augmentation_named(augmentation) if isinstance(augmentation, str) else augmentation
        self.left_out = left_out(self.augmentation, channels or RGB)
        if channels:
            self.augmentation = for_channels(self.augmentation, channels)
        self.size, self.seed, self.count, self.colour = size, seed, count, colour
        chosen = statistics_of(statistics, channels or RGB) if isinstance(statistics, str) else statistics
        self.mean, self.std = chosen if self.augmentation.normalises else statistics_of("none", channels or RGB)

    @property
    def sides(self) -> list[int]:
        """The side of each view in pixels."""
        crops = [op for view in range(self.count) for op in self.augmentation.view(view) if isinstance(op, Crop)]
        return [crop.pixels(self.size) for crop in crops]

    @torch.no_grad()
    def __call__(self, batch: ImageBatch, epoch: int) -> Views:
        """The views: float32 (B, C, side, side) each (`sides`); for one (seed, epoch, index) the same in any batch."""
        drawn = draw(self.augmentation, batch.index, batch.size, self.seed, epoch, self.count)
        tensors: list[Tensor] = []
        with plain(batch.pixels.device):
            for _, alike in groupby(drawn, key=_kinds):
                steps = tuple(Drawn.joined(step) for step in zip(*alike, strict=True))
                linear = self.colour == "linear"
                side = side_of(steps, self.size)
                made = render(batch.pixels, batch.size, steps, side, (self.mean, self.std), linear)
                tensors += made.split(len(batch))
        return Views(tensors, [geometry(draws, batch.size) for draws in drawn], batch.index)


@torch.no_grad()
def evaluation_view(batch: ImageBatch, mean: Channels, std: Channels) -> Tensor:
    """The one view that evaluation sees, of a batch of `Images.centres`: float32 (B, C, size, size), normalised."""
    with plain(batch.pixels.device):
        return normalise_(floats(batch.pixels), (mean, std))


def _kinds(draws: Draws) -> list[object]:
    return [(type(step.op), _kind(step.op)) for step in draws]


def _kind(op: Operation) -> object:
    """What of an operation is the same for all images that are worked together, beside its type."""
    return (op.interpolation, op.side) if isinstance(op, Crop) else op.factors if isinstance(op, Blur) else None


@contextmanager
def plain(device: torch.device) -> Iterator[None]:
    """float32 even under autocast, and one thread: the operations are too short to be worth sharing (on two idle cores
    1.2 times the CPU for 0.85 of the time, on two busy ones many times both)."""
    with torch.autocast(device.type, enabled=False), one_thread() if device.type == "cpu" else nullcontext():
        yield
