"""The exact path: one image at a time with torchvision's own functions, following the same draws as the fast path.

Slow, and meant for tests and for looking at what an augmentation does. A crop of RGB that comes first works on the
stored bytes, as torchvision does with uint8 tensors; everything else is float32 in 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.apply import is_bytes_of_rgb
from twofold.pixels.views.augmentations import (
    Augmentation,
    Blur,
    Channel,
    Clip,
    Crop,
    Flip,
    Grey,
    Jitter,
    Normalise,
    Rotate,
    Solarise,
    Statistics,
    Sway,
)
from twofold.pixels.views.blur import kernel_size, shrunk
from twofold.pixels.views.draw import ORDERS, Drawn, Draws, draw, side_of


def reference_views(
    batch: ImageBatch,
    augmentation: Augmentation,
    size: int,
    *,
    seed: int,
    epoch: int,
    statistics: Statistics,
    count: int = 2,
) -> list[Tensor]:
    """What ImageViews makes of a batch, image by image: `count` tensors float32 (B, 3, side, side)."""
    views = []
    for draws in draw(augmentation, batch.index, batch.size, seed, epoch, count):
        side = side_of(draws, size)
        views.append(torch.stack([reference_view(batch, i, draws, side, statistics) for i in range(len(batch))]))
    return views


def reference_view(batch: ImageBatch, row: int, draws: Draws, size: int, statistics: Statistics) -> Tensor:
    """One view of image `row` of a batch."""
    high, wide = batch.size[row].tolist()
    image = batch.pixels[row, :, :high, :wide].contiguous()
    if not isinstance(draws[0].op, Crop) or not is_bytes_of_rgb(batch.pixels):
        image = F.to_dtype(image, torch.float32, scale=True)
    for step in draws:
        if bool(step.applied[row]):
            image = reference_step(image, step.rows(slice(row, row + 1)), size, statistics)
    return image


def reference_step(image: Tensor, step: Drawn, size: int, statistics: Statistics) -> Tensor:
    """One drawn operation on one image (C, h, w): stored bytes or float32 in 0..1."""
    op, values = step.op, step.values[0].tolist()
    if isinstance(op, Crop):
        left, top, width, height = (int(value) for value in values)
        cut = F.resized_crop(image, top, left, height, width, [size, size], op.interpolation, antialias=True)
        return F.to_dtype(cut, torch.float32, scale=True).clamp(0, 1)
    image = F.to_dtype(image, torch.float32, scale=True)
    if isinstance(op, Rotate):
        return F.rotate(image, values[0], F.InterpolationMode.BILINEAR)
    if isinstance(op, Jitter):
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for number in ORDERS[int(values[4])]:
            if len(image) == 3:
                image = adjust[number](image, values[number])
            elif number < 2:  # each channel like a grey picture
                image = torch.cat([adjust[number](channel, values[number]) for channel in image.split(1)])
        return image
    if isinstance(op, Flip):
        return F.horizontal_flip(image)
    if isinstance(op, Grey):
        return F.rgb_to_grayscale(image, num_output_channels=3)
    if isinstance(op, Channel):
        return image[int(values[0])].expand(3, -1, -1)
    if isinstance(op, Sway):
        return (image * values[0] + values[1]).clamp(0, 1)
    if isinstance(op, Blur) and op.factors:
        for side in (shrunk(size, op.factors[int(values[0])]), size):
            image = F.resize(image, [side, side], F.InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
        return image
    if isinstance(op, Blur):
        return F.gaussian_blur(image, [kernel_size(size)] * 2, [values[0]] * 2)
    if isinstance(op, Solarise):
        return F.solarize(image, values[0])
    if isinstance(op, Normalise):
        return F.normalize(image, *map(list, statistics))
    assert isinstance(op, Clip)
    return image.clamp(0, 1)
