"""A batch of images, as reading gives it and views take it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from twofold.seam import Batch


@dataclass
class ImageBatch(Batch):
    """Images in one block, padded right and below.

    pixels: uint8 (B, 3, H, W) of RGB, or uint8 or uint16 (B, C, H, W) of channels as they are; zeros outside each
    image. size: int64 (B, 2), height and width of each image inside the block.
    """

    pixels: Tensor
    size: Tensor
