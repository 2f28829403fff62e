"""Mixtures of images or clips: blending (mixup, Zhang et al. 2018) and pasting a region (CutMix, Yun et al. 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def blend(images: Tensor, others: Tensor, ratio: Tensor) -> Tensor:
    """ratio * images + (1 - ratio) * others. images, others: (B, C, H, W), or clips (B, C, T, H, W); ratio: (B,), or
    (1,) for all."""
    return torch.lerp(others, images, ratio.to(images).view(-1, *[1] * (images.ndim - 1)))


def region(sides: Sequence[int], ratio: Tensor, centre: Tensor) -> Tensor:
    """Boxes (n, 4), top, left, bottom, right, that take 1 - ratio of an image before they are clipped to it.

    sides: height and width in pixels. ratio: float (n,). centre: int64 (n, 2), row and column. Each side of a box is
    int(side * sqrt(1 - ratio)); half of that, rounded down, lies on either side of the centre.
    """
    size = torch.tensor(list(sides), device=centre.device)
    half = (size * (1 - ratio.double())[:, None].sqrt()).long() // 2
    return torch.cat([centre - half, centre + half], dim=1).clamp_min(0).minimum(size.repeat(2))


def paste(images: Tensor, others: Tensor, boxes: Tensor) -> Tensor:
    """The images (B, C, H, W), or clips (B, C, T, H, W) in all frames, with their boxes taken from the others. boxes:
    int64 (B, 4), or (1, 4) for all."""
    top, left, bottom, right = boxes.to(images.device)[:, :, None].unbind(1)
    rows, columns = (torch.arange(side, device=images.device) for side in images.shape[-2:])
    down, across = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    inside = down[:, :, None] & across[:, None, :]
    return torch.where(inside.view(len(boxes), *[1] * (images.ndim - 3), *images.shape[-2:]), others, images)


def own_share(boxes: Tensor, sides: Sequence[int]) -> Tensor:
    """The share of its own (n,) that an image of these sides keeps when boxes (n, 4) are pasted into it."""
    top, left, bottom, right = boxes.unbind(1)
    return 1 - ((bottom - top) * (right - left)).double() / math.prod(sides)


def beta(uniform: Tensor, alpha: float) -> Tensor:
    """Draws of Beta(alpha, alpha) from uniform draws of any shape, by its quantile function (to about 1e-4)."""
    if alpha == 1:
        return uniform
    # With x = sin^2(t) the density of t is (sin t cos t)^(2 alpha - 1), which a midpoint rule integrates well.
    edges = np.linspace(0, math.pi / 2, 8193)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = np.cumsum((np.sin(middles) * np.cos(middles)) ** (2 * alpha - 1))
    angles = np.interp(uniform.cpu().double().numpy(), np.concatenate([[0.0], mass / mass[-1]]), edges)
    return torch.from_numpy(np.sin(angles) ** 2).to(uniform)
