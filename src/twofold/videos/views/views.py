"""Views of a batch of clips: what is drawn for a clip holds in all of its frames."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.pixels.views.apply import floats, render
from twofold.pixels.views.augmentations import Channels, Crop, Statistics, statistics_named
from twofold.pixels.views.colour import normalise_
from twofold.pixels.views.draw import draw, geometry, side_of
from twofold.pixels.views.views import plain
from twofold.seam import Views
from twofold.videos.batch import ClipBatch
from twofold.videos.views.augmentations import ClipAugmentation, augmentation_named


class ClipViews:
    """Makes the views of a batch of clips.

    augmentation: a ClipAugmentation or its name. size: pixels of the square views. count: views of each video; the
    others as for `pixels.views.ImageViews`. Raises UserError for unknown names.

    mean, std: what the views are normalised with (0 and 1 where the augmentation does not), for evaluation_view.
    """

    def __init__(
        self,
        augmentation: ClipAugmentation | str,
        size: int,
        *,
        seed: int,
        statistics: str | Statistics = "imagenet",
        count: int = 2,
        colour: Literal["exact", "linear"] = "exact",
    ) -> None:
        if colour not in ("exact", "linear"):
            raise UserError(f'Colour is "exact" or "linear", not "{colour}".')
        self.augmentation = augmentation_named(augmentation) if isinstance(augmentation, str) else augmentation
        self.size, self.seed, self.count, self.colour = size, seed, count, colour
        chosen = statistics_named(statistics) if isinstance(statistics, str) else statistics
        self.mean, self.std = chosen if self.augmentation.pictures.normalises else statistics_named("none")

    @property
    def sides(self) -> list[int]:
        """The side of each view in pixels."""
        views = (self.augmentation.pictures.view(view) for view in range(self.count))
        return [op.pixels(self.size) for ops in views for op in ops if isinstance(op, Crop)]

    @torch.no_grad()
    def __call__(self, batch: ClipBatch, epoch: int) -> Views:
        """The views: float32 (B, 3, T, side, side) each; for one (seed, epoch, index) the same in any batch."""
        drawn = draw(self.augmentation.pictures, batch.index, batch.size, self.seed, epoch, self.count)
        tensors = []
        with plain(batch.size.device):
            for view, draws in enumerate(drawn):
                clip = batch.clips[self.augmentation.clip_of(view)]
                each = torch.arange(len(batch), device=clip.device).repeat_interleave(clip.shape[1])
                steps = tuple(step.rows(each) for step in draws)
                side, linear = side_of(draws, self.size), self.colour == "linear"
                frames = render(clip.flatten(0, 1), batch.size[each], steps, side, (self.mean, self.std), linear)
                tensors.append(frames.unflatten(0, clip.shape[:2]).transpose(1, 2).contiguous())
        return Views(tensors, [geometry(draws, batch.size) for draws in drawn], batch.index)


@torch.no_grad()
def evaluation_view(clips: Tensor, mean: Channels, std: Channels) -> Tensor:
    """The one view that evaluation sees, of square clips uint8 (B, T, 3, S, S): float32 (B, 3, T, S, S), normalised."""
    with plain(clips.device):
        frames = normalise_(floats(clips.flatten(0, 1)), (mean, std))
    return frames.unflatten(0, clips.shape[:2]).transpose(1, 2).contiguous()
