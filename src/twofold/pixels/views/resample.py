"""Crop, flip and resize in one resampling: two matrix products for a batch, or torch's 8-bit kernel image by image.

Both are the antialiased resizing of torchvision and Pillow: each output pixel is a weighted mean over a window that
widens with the reduction (triangle for bilinear, Keys' cubic with a = -0.5 for bicubic).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_floats(x: Tensor, box: Tensor, flip: Tensor, size: int, interpolation: str) -> Tensor:
    """Boxes of a batch, resized to (n, 3, size, size), mirrored where flip, clipped to 0..1.

    x: float32 (n, 3, H, W) in 0..1, anything finite outside the boxes. box: (n, 4) left, top, width, height in whole
    pixels. Equal to torchvision's resized_crop(antialias=True) on float tensors, up to float32 rounding.
    """
    place = torch.arange(size, device=x.device).expand(len(x), size)
    across = torch.where(flip[:, None], size - 1 - place, place)
    rows = resize_weights(place, box[:, 1], box[:, 3], box[:, 3] / size, x.shape[2], interpolation)
    columns = resize_weights(across, box[:, 0], box[:, 2], box[:, 2] / size, x.shape[3], interpolation)
    # Bicubic weights overshoot; 8-bit pipelines clip without saying so.
    return apply_weights(x, rows, columns).clamp_(0, 1)


def turned_crops(
    pixels: Tensor, size: Tensor, degrees: Tensor, box: Tensor, flip: Tensor, side: int, interpolation: str
) -> Tensor:
    """Images turned counterclockwise about their centres, black where there is nothing, then cut and resized.

    pixels: uint8 or uint16 (n, C, H, W). size: (n, 2). degrees: (n,). box: (n, 4) left, top, width, height in whole
    pixels of the turned image. Returns float32 (n, C, side, side) in 0..1: torchvision's rotate(BILINEAR) and
    resized_crop of float images. Neighbours that are turned and cut alike, the frames of a clip, are sampled together.
    """
    alike = torch.cat([degrees[:, None], box, size], 1)
    _, counts = torch.unique_consecutive(alike, dim=0, return_counts=True)
    made, start = [], 0
    for count in counts.tolist():
        rows = slice(start, start + count)
        high, wide = size[start].tolist()
        x = pixels[rows, :, :high, :wide].contiguous(memory_format=torch.contiguous_format).float()
        x = x.div_(torch.iinfo(pixels.dtype).max)
        grid = _turned_grid(degrees[start], box[start], high, wide)
        cut = F.grid_sample(x.reshape(1, -1, high, wide), grid, padding_mode="zeros", align_corners=False)
        cut = cut.view(count, -1, *cut.shape[2:])
        if cut.shape[2:] != (side, side):
            cut = F.interpolate(cut, (side, side), mode=interpolation, antialias=True)
        made.append(torch.where(flip[rows, None, None, None], cut.flip(3), cut) if flip[rows].any() else cut)
        start += count
    return torch.cat(made).clamp_(0, 1)


def _turned_grid(degrees: Tensor, box: Tensor, high: int, wide: int) -> Tensor:
    """Where the pixels of a box of a turned image come from, as grid_sample takes it: (1, height, width, 2)."""
    left, top, width, height = (int(v) for v in box.tolist())
    angle = math.radians(degrees.item())
    cos, sin = math.cos(angle), math.sin(angle)
    across = torch.arange(left, left + width, device=box.device) - (wide - 1) / 2
    down = (torch.arange(top, top + height, device=box.device) - (high - 1) / 2)[:, None]
    grid = torch.empty(1, height, width, 2, device=box.device)
    torch.add((cos * across)[None], -sin * down, out=grid[0, :, :, 0]).mul_(2 / wide)
    torch.add((sin * across)[None], cos * down, out=grid[0, :, :, 1]).mul_(2 / high)
    return grid


def apply_weights(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows (n, h, H) times x (n, C, H, W) times columns (n, w, W) transposed, for each channel: (n, C, h, w)."""
    n, channels, height, width = x.shape
    x = torch.bmm(x.reshape(n, channels * height, width), columns.transpose(1, 2))
    return torch.matmul(rows[:, None], x.view(n, channels, height, -1))


def resize_weights(
    place: Tensor, start: Tensor, length: Tensor, scale: Tensor, source: int, interpolation: str
) -> Tensor:
    """The matrix (n, k, source) that makes k output pixels from a line of `source` pixels.

    place: (n, k) positions of the outputs in the resized line. start, length: (n,) the stretch of source pixels that is
    resized; nothing outside it is used. scale: (n,) source pixels per output pixel.
    """
    scale = scale.float()[:, None, None]
    centre = (place[:, :, None] + 0.5) * scale
    pixel = torch.arange(source, device=place.device) - start.float()[:, None, None]
    away = (pixel + 0.5 - centre).div_(scale.clamp(min=1)).abs_()
    weights = _triangle(away) if interpolation == "bilinear" else _cubic(away)
    weights = weights.mul_((pixel >= 0) & (pixel < length[:, None, None]))
    return weights.div_(weights.sum(2, keepdim=True))


def _triangle(x: Tensor) -> Tensor:
    return (1 - x).clamp_(min=0)


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic, a = -0.5: 1.5 x^3 - 2.5 x^2 + 1 up to 1, -0.5 x^3 + 2.5 x^2 - 4 x + 2 up to 2, without branches."""
    x = x.clamp(max=2)
    return (2 - x).square_().mul_(1 - x).mul_(0.5).addcmul_((1 - x).clamp_(min=0).square_(), 2 * x - 1)


def crop_bytes(pixels: Tensor, rows: Tensor, box: Tensor, flip: Tensor, size: int, interpolation: str) -> Tensor:
    """Boxes of stored images, resized to float32 (n, 3, size, size) in 0..1, mirrored where flip. CPU only.

    pixels: uint8 (B, 3, H, W), channels_last. rows: (n,) which image each box is cut from. Bit for bit what torchvision
    makes of one uint8 image, rounded to 1/255; twice as fast as the matrices at 64 px and more above.
    """
    _, _, high, wide = pixels.shape
    views = []
    for row, left, top, width, height, mirror in torch.column_stack([rows, box.long(), flip]).tolist():
        offset = pixels.storage_offset() + ((row * high + top) * wide + left) * 3
        # The first stride makes torch see a channels_last image and keep to its fast kernel.
        cut = pixels.as_strided((1, 3, height, width), (3 * high * wide, 1, 3 * wide, 3), offset)
        view = F.interpolate(cut, (size, size), mode=interpolation, antialias=True)
        views.append(view.flip(3) if mirror else view)
    return torch.cat(views).contiguous().float().div_(255)
