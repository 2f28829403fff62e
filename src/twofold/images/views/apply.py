"""The interpreter: one plan followed for many images at once, operation by operation, in the recipe's order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from twofold.images.views.blur import blur, kernel_size
from twofold.images.views.colour import grey_, jitter_by_order_, jitter_by_slot_, jitter_linear_, solarise_
from twofold.images.views.draw import ORDERS, Drawn, Plan, flips
from twofold.images.views.recipes import Blur, Clip, Crop, Grey, Jitter, Normalise, Solarise, Statistics
from twofold.images.views.resample import crop_bytes, crop_floats

# Images are worked in chunks whose pixels (float32) take about this much: on a CPU they stay in the second-level cache.
_CHUNK_BYTES_CPU = 800_000
_CHUNK_BYTES = 256_000_000
# From this view size on, a CPU crops the stored bytes image by image; below, matrices are quicker. It depends on
# nothing that varies from batch to batch, so that a view is the same in any batch.
_BYTES_FROM = 48


def render(pixels: Tensor, size: Tensor, steps: Plan, view_size: int, statistics: Statistics, linear: bool) -> Tensor:
    """All views of a batch that have the same kinds of operations.

    pixels: uint8 (B, 3, H, W). size: (B, 2). steps: records of V * B images, view after view. Returns float32
    (V * B, 3, view_size, view_size).
    """
    on_cpu, first = pixels.device.type == "cpu", isinstance(steps[0].op, Crop)
    bytewise = on_cpu and first and view_size >= _BYTES_FROM
    if bytewise:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    area = view_size**2 if bytewise else max(view_size**2, pixels.shape[2] * pixels.shape[3])
    chunk = max(1, (_CHUNK_BYTES_CPU if on_cpu else _CHUNK_BYTES) // (12 * area))
    jitter_ = jitter_linear_ if linear else jitter_by_order_ if on_cpu else jitter_by_slot_
    count = len(steps[0].applied)
    out = torch.empty(count, 3, view_size, view_size, device=pixels.device)
    for images in (_by_order(steps) if on_cpu else torch.arange(count, device=pixels.device)).split(chunk):
        rows = images % len(pixels)
        part = tuple(step.rows(images) for step in steps)
        x = None if bytewise else pixels[rows].float().div_(255)
        inside = None if first else _inside(size[rows], pixels)
        for step in part:
            if isinstance(step.op, Crop):
                kernel = step.op.interpolation
                if x is None:
                    x = crop_bytes(pixels, rows, step.values, flips(part), view_size, kernel)
                else:
                    x = crop_floats(x, step.values, flips(part), view_size, kernel)
                inside = None
            elif isinstance(step.op, Jitter):
                x = jitter_(x, step.applied, step.values, inside)
            else:
                x = _change(x, step, view_size, statistics)
        out.index_copy_(0, images, x)
    return out


def _change(x: Tensor, step: Drawn, view_size: int, statistics: Statistics) -> Tensor:
    op = step.op
    if isinstance(op, Grey):
        return _where_applied(x, step, grey_, neutral=0.0)
    if isinstance(op, Blur):
        return _where_applied(x, step, lambda x, sigma: blur(x, sigma, kernel_size(view_size)), neutral=0.0)
    if isinstance(op, Solarise):
        return _where_applied(x, step, solarise_, neutral=2.0)
    if isinstance(op, Clip):
        return x.clamp_(0, 1)
    if isinstance(op, Normalise):
        mean, std = (x.new_tensor(values)[:, None, None] for values in statistics)
        return x.sub_(mean).div_(std)
    return x  # a flip is done by the crop's resampling, which commutes with every operation after the crop


def _where_applied(x: Tensor, step: Drawn, change: Callable[[Tensor, Tensor], Tensor], neutral: float) -> Tensor:
    """change(x, value) for the images it was drawn for. Off the CPU for all, with a value that changes nothing for the
    others: choosing them would make the host wait for the device."""
    value = step.values[:, 0]
    if x.device.type != "cpu":
        return change(x, torch.where(step.applied, value, neutral))
    rows = step.applied.nonzero().squeeze(1)
    if len(rows) == len(x):
        return change(x, value)
    return x.index_copy_(0, rows, change(x.index_select(0, rows), value[rows])) if len(rows) else x


def _by_order(steps: Plan) -> Tensor:
    """The images sorted by the drawn order of their first jitter, so that each order is one run; those without last."""
    for step in steps:
        if isinstance(step.op, Jitter):
            return torch.where(step.applied, step.values[:, 4], len(ORDERS)).argsort(stable=True)
    return torch.arange(len(steps[0].applied))


def _inside(size: Tensor, pixels: Tensor) -> Tensor:
    """float32 (n, 1, H, W): 1 on the pixels of each image, 0 on its padding."""
    down, across = (torch.arange(length, device=pixels.device) for length in pixels.shape[2:])
    return ((down[:, None] < size[:, :1, None]) & (across < size[:, 1:, None])).float()[:, None]
