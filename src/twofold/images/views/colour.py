"""Colour operations on a batch, in place, each with one parameter an image; the definitions are torchvision's.

x is float32 (n, 3, H, W) in 0..1, parameters are float32 (n,), and each function returns x.
"""

from __future__ import annotations

import math
from itertools import groupby

import torch
from torch import Tensor

from twofold.images.views.draw import ORDERS

LUMA = (0.2989, 0.587, 0.114)


def brightness_(x: Tensor, factor: Tensor) -> Tensor:
    """Times the factor, clipped."""
    return x.mul_(_wide(factor)).clamp_(0, 1)


def contrast_(x: Tensor, factor: Tensor, inside: Tensor | None = None) -> Tensor:
    """Blend with the mean luma of the image, clipped. inside: (n, 1, H, W), 1 on real pixels and 0 on padding."""
    rest = mean_colour(x, inside) @ x.new_tensor(LUMA) * (1 - factor)
    return x.mul_(_wide(factor)).add_(_wide(rest)).clamp_(0, 1)


def saturation_(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luma of each pixel, clipped."""
    rest = _luma(x).mul_(_wide(1 - factor))
    return x.mul_(_wide(factor)).add_(rest).clamp_(0, 1)


def hue_(x: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue in HSV space by `shift` turns, -0.5..0.5; value and saturation stay.

    With M, m the largest and smallest channel and C = M - m, the distance of the hue from a channel's own hue, in sixths
    of a turn, is (M - 2m + r + g + b - 2 channel) / C; the difference of the two other channels gives its side. So each
    new channel is M - C clip(distance after the turn - 1, 0, 1), without division, branch or sextant.
    """
    red, green, blue = x.unbind(1)
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = high - low
    side = torch.stack([green - blue, blue - red, red - green], 1)
    total = (red + green).add_(blue).add_(high).sub_(low, alpha=2)
    angle = torch.sub(total[:, None], x, alpha=2).copysign_(side).add_((chroma * (6 * shift)[:, None, None])[:, None])
    # 3C - | |angle| - 3C | is the distance on the circle; clipping to low..high is the clip to 0..1 above.
    angle.abs_().sub_((3 * chroma)[:, None]).abs_().add_(high.sub(chroma, alpha=2)[:, None])
    return torch.clamp(angle, low[:, None], high[:, None], out=x)


def grey_(x: Tensor, amount: Tensor) -> Tensor:
    """Luma in all three channels where amount is 1, nothing where it is 0."""
    return x.lerp_(_luma(x).expand_as(x), _wide(amount))


def solarise_(x: Tensor, threshold: Tensor) -> Tensor:
    """1 - x for the values at or above the threshold."""
    return x.copy_(torch.where(x >= _wide(threshold), 1 - x, x))


def jitter_by_order_(x: Tensor, applied: Tensor, values: Tensor, inside: Tensor | None = None) -> Tensor:
    """Brightness, contrast, saturation, hue in the drawn order: runs of images with one order are handled together.

    values: (n, 5) as drawn. Reads the orders on the host; quick where the images are sorted by order.
    """
    orders = torch.where(applied, values[:, 4].long(), -1).tolist()
    for order, run in groupby(range(len(orders)), key=orders.__getitem__):
        first, *rest = run
        part = slice(first, (rest or [first])[-1] + 1)
        for op in ORDERS[order] if order >= 0 else ():
            _adjust(op, x[part], values[part, op], inside if inside is None else inside[part])
    return x


def jitter_by_slot_(x: Tensor, applied: Tensor, values: Tensor, inside: Tensor | None = None) -> Tensor:
    """The same without reading anything on the host (for CUDA): every operation in every place, neutral if not due."""
    due = torch.tensor(ORDERS, device=x.device)[values[:, 4].long()]
    for place in range(4):
        for op, neutral in enumerate((1.0, 1.0, 1.0, 0.0)):
            now = applied & (due[:, place] == op)
            _adjust(op, x, torch.where(now, values[:, op], neutral), inside)
    return x


def jitter_linear_(x: Tensor, applied: Tensor, values: Tensor, inside: Tensor | None = None) -> Tensor:
    """The four operations as one affine map of the colours: no clip between them, hue turned in YIQ instead of HSV."""
    mean, luma, one = mean_colour(x, inside)[:, :, None], x.new_tensor(LUMA), torch.eye(3, device=x.device)
    due = torch.tensor(ORDERS, device=x.device)[values[:, 4].long()]
    matrix, offset = one.repeat(len(x), 1, 1), torch.zeros_like(mean)
    neutral = x.new_tensor((1.0, 1.0, 1.0, 0.0))
    for place in range(4):
        now = applied[:, None] & (due[:, place, None] == torch.arange(4, device=x.device))
        b, c, s, h = torch.where(now, values[:, :4], neutral)[:, :, None, None].unbind(1)
        step = (s * one + (1 - s) * luma) @ _turn(h) * (b * c)
        offset = step @ offset + (1 - c) * (luma @ (matrix @ mean + offset))[:, None]
        matrix = step @ matrix
    flat = x.view(len(x), 3, -1)
    return x.copy_(torch.baddbmm(offset, matrix, flat).view_as(x)).clamp_(0, 1)


def mean_colour(x: Tensor, inside: Tensor | None = None) -> Tensor:
    """The mean of each channel over the image, or over the pixels where inside is 1: (n, 3)."""
    if inside is None:
        return x.flatten(2).mean(2)
    return (x * inside).flatten(2).sum(2) / inside.flatten(1).sum(1, keepdim=True)


def _adjust(op: int, x: Tensor, value: Tensor, inside: Tensor | None) -> None:
    if op == 1:
        contrast_(x, value, inside)
    else:
        (brightness_, contrast_, saturation_, hue_)[op](x, value)


def _turn(shift: Tensor) -> Tensor:
    """(n, 1, 1) turns to (n, 3, 3): the rotation of the chroma plane of YIQ, in RGB; the luma weights stay."""
    yiq = torch.tensor([LUMA, (0.596, -0.274, -0.321), (0.211, -0.523, 0.311)], device=shift.device)
    i, q = yiq[1:2], yiq[2:3]
    back = torch.linalg.inv(yiq)
    cos, sin = torch.cos(2 * math.pi * shift), torch.sin(2 * math.pi * shift)
    return back[:, :1] @ yiq[:1] + back[:, 1:2] @ (cos * i - sin * q) + back[:, 2:] @ (sin * i + cos * q)


def _luma(x: Tensor) -> Tensor:
    red, green, blue = x.split(1, 1)
    return torch.mul(red, LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _wide(value: Tensor) -> Tensor:
    return value[:, None, None, None]
