"""Blurs of a batch: torchvision's Gaussian, one sigma an image, or shrinking and enlarging, one factor an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def kernel_size(size: int) -> int:
    """The kernel of a view of `size` pixels: a tenth of it, made odd, at least 3 (SimCLR)."""
    return max(3, size // 10 | 1)


def blur(x: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """Blur x, float32 (n, 3, H, W), by sigma, float32 (n,), pixels; an image with sigma 0 stays as it is.

    Both passes run over the flattened padded image, where a step down is one row further: shifts of contiguous memory,
    symmetric taps added before they are weighted. Raises where the image is not larger than kernel // 2.
    """
    n, channels, height, width = x.shape
    reach = kernel // 2
    weights = _half_kernel(sigma, reach)
    stride = width + 2 * reach
    flat = F.pad(x, (reach,) * 4, mode="reflect").view(n, -1)
    for step in (1, stride):
        length = flat.shape[1] - 2 * reach * step
        total = flat[:, reach * step : reach * step + length] * weights[:, :1]
        pair = torch.empty_like(total)
        for tap in range(1, reach + 1):
            low, high = (reach - tap) * step, (reach + tap) * step
            torch.add(flat[:, low : low + length], flat[:, high : high + length], out=pair)
            total.addcmul_(pair, weights[:, tap : tap + 1])
        flat = total
    # The sums that straddle two rows or two channels sit in the padding's place and are left out here.
    shape, strides = (n, channels, height, width), (flat.stride(0), (height + 2 * reach) * stride, stride, 1)
    return flat.as_strided(shape, strides)


def _half_kernel(sigma: Tensor, reach: int) -> Tensor:
    """Weights of taps 0..reach, (n, reach + 1); the whole kernel sums to 1."""
    tap = torch.arange(reach + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (tap / sigma.clamp(min=1e-3)[:, None]) ** 2)
    return weights / (2 * weights.sum(1, keepdim=True) - weights[:, :1])


def shrunk(size: int, factor: float) -> int:
    """The side of a view of `size` pixels once it is shrunk: rounded down, at least 1 (SCRL)."""
    return max(int(size // factor), 1)


def shrink(x: Tensor, place: Tensor, factors: Sequence[float], on_host: bool) -> Tensor:
    """Shrink x, float32 (n, 3, S, S) in 0..1, by factors[place] and enlarge it again; an image with place -1 stays.

    Bicubic as Pillow has it (without its clip between rows and columns), clipped to 0..1 after each resize. place: (n,)
    whole numbers. on_host: reading a value of `place` is free; elsewhere every factor is worked out for all images.
    """
    out = x.clone()
    for number, factor in enumerate(factors):
        chosen = place == number
        if on_host:
            rows = chosen.nonzero().squeeze(1)
            if len(rows):
                out.index_copy_(0, rows, _there_and_back(x[rows], factor))
        else:
            out = torch.where(chosen[:, None, None, None], _there_and_back(x, factor), out)
    return out


def _there_and_back(x: Tensor, factor: float) -> Tensor:
    size = x.shape[-1]
    for side in (shrunk(size, factor), size):
        x = F.interpolate(x, (side, side), mode="bicubic", antialias=True).clamp_(0, 1)
    return x
