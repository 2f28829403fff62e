"""Views of a batch of clips: what is drawn for a clip holds in all of its frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.pixels.views.apply import coloured, floats, on_host, parted, render
from twofold.pixels.views.augmentations import Channel, Channels, Crop, Statistics, Sway, statistics_named
from twofold.pixels.views.colour import normalise_
from twofold.pixels.views.draw import Draws, channels, draw, geometry, side_of
from twofold.pixels.views.resample import crop_bytes, crop_floats
from twofold.pixels.views.views import plain
from twofold.randomness import uniforms
from twofold.seam import Views
from twofold.videos.batch import ClipBatch
from twofold.videos.views.augmentations import ClipAugmentation, augmentation_named
from twofold.videos.views.courses import course
from twofold.videos.views.pretext import Exercise, Pretext

CENTRE = 7 / 8


class ClipViews:
    """Makes the views of a batch of clips.

    augmentation: a ClipAugmentation or its name. size: pixels of the square views. count: views of each video; the
    others as for `pixels.views.ImageViews`. pretext: what a task draws with them. Raises UserError for unknown names.

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
        pretext: Pretext | None = None,
    ) -> None:
        if colour not in ("exact", "linear"):
            raise UserError(f'Colour is "exact" or "linear", not "{colour}".')
        self.augmentation = augmentation_named(augmentation) if isinstance(augmentation, str) else augmentation
        self.size, self.seed, self.count, self.colour = size, seed, count, colour
        self.pretext = pretext or Pretext()
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
        plainly = draw(self.augmentation.pictures, batch.index, batch.size, self.seed, epoch, self.count)
        with plain(batch.size.device):
            exercise = self.pretext.exercise(batch, plainly, self.size, self.seed, epoch)
            tensors = [self._view(batch, view, exercise, epoch) for view in range(self.count)]
        return Views(tensors, [geometry(own, batch.size) for own in exercise.draws], batch.index, exercise.task)

    def _view(self, batch: ClipBatch, view: int, exercise: Exercise, epoch: int) -> Tensor:
        clip, draws = batch.clips[self.augmentation.clip_of(view)], exercise.draws[view]
        size = batch.size.repeat_interleave(clip.shape[1], 0)
        key = (self.seed, "frames", epoch, view)
        steps, statistics = over_frames(draws, batch.index, clip.shape[1], *key), (self.mean, self.std)
        side, linear = side_of(draws, self.size), self.colour == "linear"
        cutting, colouring = (steps, ()) if exercise.alter is None else parted(steps)
        frames = render(clip.flatten(0, 1), size, cutting, side, statistics, linear)
        if exercise.alter is not None:
            altered = exercise.alter(view, frames.unflatten(0, clip.shape[:2]))
            frames = coloured(altered.flatten(0, 1), colouring, statistics, linear)
        return frames.unflatten(0, clip.shape[:2]).transpose(1, 2).contiguous()


def over_frames(draws: Draws, index: Tensor, frames: int, seed: int, *keys: int | str) -> Draws:
    """The draws of B clips for their B x frames pictures: alike in all of a clip, but for what is drawn anew for each
    frame, a function of (seed, keys, index, frame)."""
    each = torch.arange(len(index), device=index.device).repeat_interleave(frames)
    steps = []
    for step in draws:
        wide = step.rows(each)
        if isinstance(step.op, Channel):
            wide = replace(wide, values=channels(uniforms(index, frames, seed, *keys)).reshape(-1, 1))
        elif isinstance(step.op, Sway):
            ends = torch.tensor([[0, frames - 1]], device=index.device).expand(len(index), 2)
            over = course(ends, torch.zeros_like(ends[:, :1]), step.values.unflatten(1, (2, 2)), frames)
            wide = replace(wide, values=over.flatten(0, 1))
        steps.append(wide)
    return tuple(steps)


@torch.no_grad()
def evaluation_view(clip: Tensor, size: Tensor, side: int, mean: Channels, std: Channels) -> Tensor:
    """The one view that evaluation sees: the centre square of 7/8 of the short side (112 of 128), resized, normalised.

    clip: uint8 (B, T, 3, H, W), pictures of `size` (B, 2) in it. Returns float32 (B, 3, T, side, side).
    """
    cut = (size.amin(1) * CENTRE).round().clamp(min=1)
    top, left = ((size - cut.long()[:, None]) // 2).unbind(1)
    box = torch.stack([left, top, cut, cut], 1).float()
    each = torch.arange(len(clip), device=clip.device).repeat_interleave(clip.shape[1])
    with plain(clip.device):
        pixels, plainly = clip.flatten(0, 1), torch.zeros(len(each), dtype=torch.bool, device=clip.device)
        if on_host(pixels):
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            frames = crop_bytes(pixels, torch.arange(len(each)), box[each], plainly, side, "bilinear")
        else:
            frames = crop_floats(floats(pixels), box[each], plainly, side, "bilinear")
        frames = normalise_(frames, (mean, std))
    return frames.unflatten(0, clip.shape[:2]).transpose(1, 2).contiguous()
