"""Colour operations on a batch, in place, each with one parameter an image; the definitions are torchvision's.

x is float32 (n, 3, H, W) in 0..1, parameters are float32 (n,), and each function returns x. Brightness and contrast
also take other numbers of channels, each like the grey of a picture by itself.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import groupby

import torch
from torch import Tensor

from twofold.pixels.views.augmentations import Statistics
from twofold.pixels.views.draw import ORDERS

LUMA = (0.2989, 0.587, 0.114)
# The factors of brightness, contrast and saturation and the hue shift that leave an image as it is.
NEUTRAL = (1.0, 1.0, 1.0, 0.0)


def brightness_(x: Tensor, factor: Tensor) -> Tensor:
    """Times the factor, clipped."""
    return x.mul_(_wide(factor)).clamp_(0, 1)


def contrast_(x: Tensor, factor: Tensor, inside: Tensor | None = None) -> Tensor:
    """Blend with the mean luma of the image, clipped; where there are not three channels, each with its own mean.

    inside: (n, 1, H, W), 1 on real pixels and 0 on padding.
    """
    mean = mean_colour(x, inside)
    if x.shape[1] != len(LUMA):
        return x.mul_(_wide(factor)).add_((mean * (1 - factor)[:, None])[:, :, None, None]).clamp_(0, 1)
    rest = mean @ constant(LUMA, x.device) * (1 - factor)
    return x.mul_(_wide(factor)).add_(_wide(rest)).clamp_(0, 1)


def saturation_(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luma of each pixel, clipped."""
    rest = _luma(x).mul_(_wide(1 - factor))
    return x.mul_(_wide(factor)).add_(rest).clamp_(0, 1)


def hue_(x: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue in HSV space by `shift` turns, -0.5..0.5; value and saturation stay.

    With M, m the largest and smallest channel, C = M - m, and angles in sixths of a turn times C (so that nothing is
    divided): the hue lies M + g + b - r - 2m away from red, on the side of g - b. A channel at distance d from the
    turned hue becomes M - clip(d - C, 0, C).
    """
    red, green, blue = x.unbind(1)
    high = torch.maximum(red, green)
    high = torch.maximum(high, blue, out=high)
    low = torch.minimum(red, green)
    low = torch.minimum(low, blue, out=low)
    chroma = high - low
    angle = torch.add(green, blue).sub_(red).add_(high).sub_(low, alpha=2).copysign_(green - blue)
    turn = _flat(6 * shift)
    angle.addcmul_(chroma, turn)
    # Angles to red, green and blue, taken the way round that keeps them within 7 sixths.
    forward = torch.copysign(torch.ones_like(turn), turn)
    x[:, 0] = angle
    torch.addcmul(angle, chroma, 1 - 3 * forward, out=x[:, 1])
    torch.addcmul(angle, chroma, -1 - 3 * forward, out=x[:, 2])
    # d = 3C - | |angle| - 3C | for angles up to 6 sixths; up to 7 it is negative, which the clip makes 0 too.
    x.abs_().sub_((3 * chroma)[:, None]).abs_().add_(high.sub(chroma, alpha=2)[:, None])
    return torch.clamp(x, low[:, None], high[:, None], out=x)


def grey_(x: Tensor, amount: Tensor) -> Tensor:
    """Luma in all three channels where amount is 1, nothing where it is 0."""
    return x.lerp_(_luma(x).expand_as(x), _wide(amount))


def one_channel(x: Tensor, channel: Tensor) -> Tensor:
    """That channel (0, 1 or 2) in all three; where it is negative, x as it is."""
    chosen = x.gather(1, channel.long().clamp(min=0)[:, None, None, None].expand(-1, 1, *x.shape[2:]))
    return torch.where(_wide(channel) < 0, x, chosen)


def solarise_(x: Tensor, threshold: Tensor) -> Tensor:
    """1 - x for the values at or above the threshold."""
    return x.copy_(torch.where(x >= _wide(threshold), 1 - x, x))


def normalise_(x: Tensor, statistics: Statistics) -> Tensor:
    """Minus the mean, over the deviation, for each channel."""
    mean, std = (constant(values, x.device)[:, None, None] for values in statistics)
    return x.sub_(mean).div_(std)


def jitter_by_order_(x: Tensor, applied: Tensor, values: Tensor, inside: Tensor | None = None) -> Tensor:
    """Brightness, contrast, saturation, hue in the drawn order: runs of images with one order are handled together.
    Saturation and hue are of three channels only, here and in `jitter_by_slot_`.

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
    due = constant(ORDERS, x.device)[values[:, 4].long()]
    for place in range(4):
        for op, neutral in enumerate(NEUTRAL):
            now = applied & (due[:, place] == op)
            _adjust(op, x, torch.where(now, values[:, op], neutral), inside)
    return x


def linear_maps(applied: Tensor, values: Tensor) -> Tensor:
    """Each image's four operations as one map of colours, (n, 6, 3): new = maps[:3] colour + maps[3:] mean colour.

    The operations keep their drawn order; nothing is clipped between them, and hue is turned in YIQ instead of HSV.
    """
    luma, one = constant(LUMA, values.device), torch.eye(3, device=values.device)
    due = constant(ORDERS, values.device)[values[:, 4].long()]
    colour, mean = one.repeat(len(values), 1, 1), values.new_zeros(len(values), 3, 3)
    for place in range(4):
        now = applied[:, None] & (due[:, place, None] == torch.arange(4, device=values.device))
        b, c, s, h = torch.where(now, values[:, :4], constant(NEUTRAL, values.device))[:, :, None, None].unbind(1)
        step = (s * one + (1 - s) * luma) @ _turn(h) * (b * c)
        mean = step @ mean + (1 - c) * (luma @ (colour + mean))[:, None]
        colour = step @ colour
    return torch.cat([colour, mean], 1)


def map_linear_(x: Tensor, maps: Tensor, inside: Tensor | None = None) -> Tensor:
    """Apply linear_maps, clipped."""
    offset = maps[:, 3:] @ mean_colour(x, inside)[:, :, None]
    return x.copy_(torch.baddbmm(offset, maps[:, :3], x.flatten(2)).view_as(x)).clamp_(0, 1)


def mean_colour(x: Tensor, inside: Tensor | None = None) -> Tensor:
    """The mean of each channel over the image, or over the pixels where inside is 1: (n, 3)."""
    if inside is None:
        return x.flatten(2).mean(2)
    return (x * inside).flatten(2).sum(2) / inside.flatten(1).sum(1, keepdim=True)


@cache
def constant(values: tuple, device: torch.device) -> Tensor:
    """float32 tensor of fixed numbers, copied once: a copy to a device makes the host wait."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def _adjust(op: int, x: Tensor, value: Tensor, inside: Tensor | None) -> None:
    if op > 1 and x.shape[1] != len(LUMA):
        return
    if op == 1:
        contrast_(x, value, inside)
    else:
        (brightness_, contrast_, saturation_, hue_)[op](x, value)


def _turn(shift: Tensor) -> Tensor:
    """(n, 1, 1) turns to (n, 3, 3): the rotation of the chroma plane of YIQ, in RGB; the luma weights stay."""
    yiq = constant((LUMA, (0.596, -0.274, -0.321), (0.211, -0.523, 0.311)), shift.device)
    i, q = yiq[1:2], yiq[2:3]
    back = torch.linalg.inv(yiq)
    cos, sin = torch.cos(2 * math.pi * shift), torch.sin(2 * math.pi * shift)
    return back[:, :1] @ yiq[:1] + back[:, 1:2] @ (cos * i - sin * q) + back[:, 2:] @ (sin * i + cos * q)


def _luma(x: Tensor) -> Tensor:
    red, green, blue = x.split(1, 1)
    return torch.mul(red, LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _flat(value: Tensor) -> Tensor:
    return value[:, None, None]


def _wide(value: Tensor) -> Tensor:
    return value[:, None, None, None]
