"""The interpreter: draws followed for many images at once, operation by operation, in the order of the augmentation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from twofold.pixels.batch import RGB, chosen
from twofold.pixels.views.augmentations import (
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
from twofold.pixels.views.blur import blur, kernel_size, shrink
from twofold.pixels.views.colour import (
    grey_,
    jitter_by_order_,
    jitter_by_slot_,
    linear_maps,
    map_linear_,
    normalise_,
    one_channel,
    solarise_,
)
from twofold.pixels.views.draw import ORDERS, Drawn, Draws, flips
from twofold.pixels.views.resample import crop_bytes, crop_floats, turned_crops

# Images are worked in chunks whose pixels (float32) take about this much: on a CPU they stay in the second-level cache.
_CHUNK_BYTES_CPU = 800_000
_CHUNK_BYTES = 256_000_000


def render(pixels: Tensor, size: Tensor, steps: Draws, view_size: int, statistics: Statistics, linear: bool) -> Tensor:
    """All views of a batch that have the same kinds of operations.

    pixels: uint8 or uint16 (B, C, H, W). size: (B, 2). steps: records of V * B images, view after view. Returns float32
    (V * B, C, view_size, view_size).
    """
    bytewise = on_host(pixels) and isinstance(steps[0].op, Crop) and is_bytes_of_rgb(pixels)
    if bytewise:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    if linear:
        steps = tuple(_with_maps(step) if isinstance(step.op, Jitter) else step for step in steps)
    area = view_size**2 if bytewise else max(view_size**2, pixels.shape[2] * pixels.shape[3])
    chunk = chunk_images(pixels, area)
    count = len(steps[0].applied)
    out = torch.empty(count, pixels.shape[1], view_size, view_size, device=pixels.device)
    by_order = on_host(pixels) and not linear
    for images in (
        _by_order(steps, count, chunk) if by_order else torch.arange(count, device=pixels.device).split(chunk)
    ):
        rows, draws = images % len(pixels), tuple(step.rows(images) for step in steps)
        todo, inside = draws, None
        if bytewise:
            x = crop_bytes(pixels, rows, draws[0].values, flips(draws), view_size, _kernel(draws[0]))
            todo = draws[1:]
        elif isinstance(draws[0].op, Rotate):
            turn, cut, *_ = draws
            values = chosen(pixels, rows), size[rows], turn.values[:, 0], cut.values, flips(draws)
            x = turned_crops(*values, view_size, _kernel(cut))
            todo = draws[2:]
        else:
            x = floats(chosen(pixels, rows))
            inside = None if isinstance(draws[0].op, Crop) else _inside(size[rows], pixels)
        for step in todo:
            if isinstance(step.op, Crop):
                x, inside = crop_floats(x, step.values, flips(draws), view_size, _kernel(step)), None
            else:
                x = _change(x, step, inside, view_size, statistics, linear)
        out.index_copy_(0, images, x)
    return out


def parted(steps: Draws) -> tuple[Draws, Draws]:
    """Steps up to the crop, with the flip, which it does; and those behind."""
    end = 1 + next(i for i, step in enumerate(steps) if isinstance(step.op, Crop))
    behind = steps[end:]
    mirrored = tuple(step for step in behind if isinstance(step.op, Flip))
    return steps[:end] + mirrored, tuple(step for step in behind if not isinstance(step.op, Flip))


def coloured(x: Tensor, steps: Draws, statistics: Statistics, linear: bool) -> Tensor:
    """The steps behind the crop on views that are cut already, float32 (n, C, S, S) in 0..1."""
    if linear:
        steps = tuple(_with_maps(step) if isinstance(step.op, Jitter) else step for step in steps)
    out, side = torch.empty_like(x), x.shape[-1]
    chunk = chunk_images(x, side**2)
    by_order = on_host(x) and not linear
    for images in _by_order(steps, len(x), chunk) if by_order else torch.arange(len(x), device=x.device).split(chunk):
        part = x[images]
        for step in steps:
            part = _change(part, step.rows(images), None, side, statistics, linear)
        out.index_copy_(0, images, part)
    return out


def on_host(x: Tensor) -> bool:
    """Whether reading a value of x is free; elsewhere the host would wait for the device."""
    return x.device.type == "cpu"


def chunk_images(pixels: Tensor, area: int) -> int:
    """How many images of `area` pixels are worked together."""
    return max(1, (_CHUNK_BYTES_CPU if on_host(pixels) else _CHUNK_BYTES) // (4 * pixels.shape[1] * area))


def is_bytes_of_rgb(pixels: Tensor) -> bool:
    """Whether pixels are what torch's 8-bit resampling is quick with; others are resampled as floats."""
    return pixels.dtype == torch.uint8 and pixels.shape[1] == RGB


def floats(pixels: Tensor) -> Tensor:
    """uint8 or uint16 (n, C, H, W) of any layout as float32 in 0..1, planes one after the other."""
    most = torch.iinfo(pixels.dtype).max
    return pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(most)


def _jitter(x: Tensor, step: Drawn, inside: Tensor | None, linear: bool) -> Tensor:
    if linear:
        return map_linear_(x, step.values, inside)
    return (jitter_by_order_ if on_host(x) else jitter_by_slot_)(x, step.applied, step.values, inside)


def _change(
    x: Tensor, step: Drawn, inside: Tensor | None, view_size: int, statistics: Statistics, linear: bool
) -> Tensor:
    op = step.op
    if isinstance(op, Jitter):
        return _jitter(x, step, inside, linear)
    if isinstance(op, Grey):
        return _where_applied(x, step, grey_, neutral=0.0)
    if isinstance(op, Channel):
        return _where_applied(x, step, one_channel, neutral=-1.0)
    if isinstance(op, Sway):
        factor, addend = step.values[:, :2, None, None, None].unbind(1)
        return x.mul_(factor).add_(addend).clamp_(0, 1)
    if isinstance(op, Blur) and op.factors:
        return _where_applied(x, step, lambda x, place: shrink(x, place, op.factors, on_host(x)), neutral=-1.0)
    if isinstance(op, Blur):
        return _where_applied(x, step, lambda x, sigma: blur(x, sigma, kernel_size(view_size)), neutral=0.0)
    if isinstance(op, Solarise):
        return _where_applied(x, step, solarise_, neutral=2.0)
    if isinstance(op, Clip):
        return x.clamp_(0, 1)
    if isinstance(op, Normalise):
        return normalise_(x, statistics)
    return x  # the flip: the crop has done it, and it commutes with every operation after the crop


def _where_applied(x: Tensor, step: Drawn, change: Callable[[Tensor, Tensor], Tensor], neutral: float) -> Tensor:
    """change(x, value) for the images it was drawn for; off the host for all, with a neutral value for the others."""
    value = step.values[:, 0]
    if not on_host(x):
        return change(x, torch.where(step.applied, value, neutral))
    rows = step.applied.nonzero().squeeze(1)
    if len(rows) == len(x):
        return change(x, value)
    return x.index_copy_(0, rows, change(x.index_select(0, rows), value[rows])) if len(rows) else x


def _by_order(steps: Draws, count: int, chunk: int) -> list[Tensor]:
    """`count` images in chunks of at least `chunk`, sorted by the drawn order of their first jitter so that each order
    is one run.

    A run is kept whole unless that makes the chunk twice as large.
    """
    drawn = next((step for step in steps if isinstance(step.op, Jitter)), None)
    if drawn is None:
        return list(torch.arange(count).split(chunk))
    key, images = torch.where(drawn.applied, drawn.values[:, 4], len(ORDERS)).sort(stable=True)
    ends, start = [], 0
    for end, changes in enumerate((key.diff() != 0).tolist(), 1):
        if end - start >= (chunk if changes else 2 * chunk):
            ends.append(end)
            start = end
    return list(images.tensor_split(ends))


def _kernel(step: Drawn) -> str:
    assert isinstance(step.op, Crop)
    return step.op.interpolation


def _with_maps(step: Drawn) -> Drawn:
    return Drawn(step.op, step.applied, linear_maps(step.applied, step.values))


def _inside(size: Tensor, pixels: Tensor) -> Tensor:
    """float32 (n, 1, H, W): 1 on the pixels of each image, 0 on its padding."""
    down, across = (torch.arange(length, device=pixels.device) for length in pixels.shape[2:])
    return ((down[:, None] < size[:, :1, None]) & (across < size[:, 1:, None])).float()[:, None]
