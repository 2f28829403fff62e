"""A batch of images, as reading gives it and views take it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.seam import Batch

RGB, MOST_CHANNELS = 3, 16  # channels of pictures in colour, and of images that are kept as they are


@dataclass
class ImageBatch(Batch):
    """Images in one block, padded right and below.

    pixels: uint8 (B, 3, H, W) of RGB, or uint8 or uint16 (B, C, H, W) of channels as they are; zeros outside each
    image. size: int64 (B, 2), height and width of each image inside the block.
    """

    pixels: Tensor
    size: Tensor


def indexable(pixels: Tensor) -> Tensor:
    """The same memory as int16 where it is uint16, which torch does not index and join on every device."""
    return pixels.view(torch.int16) if pixels.dtype == torch.uint16 else pixels


def chosen(pixels: Tensor, rows: Tensor) -> Tensor:
    """Some of the images (B, C, H, W), on their device."""
    return indexable(pixels)[rows].view(pixels.dtype)
