"""Batches for the tests: the bundled photographs of cells, cut to many shapes and padded into one block."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor

from twofold.pixels.batch import ImageBatch

CELLS = Path(__file__).resolve().parents[3] / "examples" / "cells" / "val.parquet"
# Ordinary, thin both ways, odd, one pixel, two pixels.
SHAPES = [(64, 64), (48, 64), (64, 33), (5, 64), (64, 3), (37, 41), (1, 1), (2, 2), (1, 64), (63, 1)]


@cache
def cells(count: int = 40) -> Tensor:
    """uint8 (count, 3, 64, 64)."""
    rows = pq.read_table(CELLS).slice(0, count).to_pylist()
    encoded = [row["image"]["bytes"] if isinstance(row["image"], dict) else row["image"] for row in rows]
    arrays = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in encoded]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def square(count: int = 40) -> ImageBatch:
    """Cells of 64 px, saturated and darkened in turn so that clips and hues of every kind occur."""
    pixels = cells(count).clone()
    pixels[::3] = pixels[::3].flip(1)  # red for blue
    pixels[1::3] = 255 - pixels[1::3]
    pixels[2::3] = (pixels[2::3].float() ** 2 / 255).byte()
    return ImageBatch(torch.arange(count) * 1009 + 5, pixels, torch.full((count, 2), 64))


def mixed(count: int = 40) -> ImageBatch:
    """The same in SHAPES, padded with noise: nothing outside an image may matter."""
    batch = square(count)
    size = torch.tensor([SHAPES[i % len(SHAPES)] for i in range(count)])
    pixels = torch.randint(0, 256, batch.pixels.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for i, (high, wide) in enumerate(size.tolist()):
        pixels[i, :, :high, :wide] = batch.pixels[i, :, :high, :wide]
    return ImageBatch(batch.index, pixels, size)


def image(batch: ImageBatch, row: int) -> Tensor:
    """One image of a batch without its padding, uint8 (3, h, w)."""
    high, wide = batch.size[row].tolist()
    return batch.pixels[row, :, :high, :wide].contiguous()
