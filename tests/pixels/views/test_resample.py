"""Resampling: both ways are torchvision's resized_crop, and the matrices are what a naive loop makes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.apply import floats
from twofold.pixels.views.augmentations import Augmentation, Crop
from twofold.pixels.views.draw import draw
from twofold.pixels.views.resample import crop_bytes, crop_floats, resize_weights

from .pictures import image, mixed, square


def boxes(batch: ImageBatch) -> Tensor:
    return draw(Augmentation(((Crop(),),)), batch.index, batch.size, 1, 0, 1)[0][0].values


def theirs(source: Tensor, box: Tensor, flip: bool, size: int, kernel: str) -> Tensor:
    left, top, width, height = (int(value) for value in box)
    cut = F.resized_crop(source, top, left, height, width, [size, size], kernel, antialias=True)
    return F.horizontal_flip(cut) if flip else cut


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [7, 32, 80])
def test_floats_are_cropped_as_torchvision_crops_floats(kernel: str, size: int) -> None:
    batch = mixed()
    box, flip = boxes(batch), batch.index % 2 == 0
    made = crop_floats(floats(batch.pixels), box, flip, size, kernel)
    for row in range(len(batch)):
        expected = theirs(image(batch, row).float() / 255, box[row], bool(flip[row]), size, kernel).clamp(0, 1)
        assert (made[row] - expected).abs().max() < 3e-6


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [7, 32, 80])
def test_bytes_are_cropped_bit_for_bit_as_torchvision_crops_bytes(kernel: str, size: int) -> None:
    batch = mixed()
    box, flip, rows = boxes(batch), batch.index % 2 == 0, torch.arange(len(batch)).flip(0)
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    made = crop_bytes(pixels, rows, box[rows], flip[rows], size, kernel)
    for place, row in enumerate(rows.tolist()):
        expected = theirs(image(batch, row), box[row], bool(flip[row]), size, kernel)
        assert torch.equal((made[place] * 255).round().byte(), expected)
        assert torch.equal(made[place], expected.float() / 255)


def test_bytes_and_floats_differ_by_rounding() -> None:
    batch = square()
    box, flip = boxes(batch), torch.zeros(len(batch), dtype=torch.bool)
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    away = crop_bytes(pixels, torch.arange(len(batch)), box, flip, 32, "bicubic") - crop_floats(
        floats(batch.pixels), box, flip, 32, "bicubic"
    )
    # Levels of 1/255: both passes of the 8-bit kernel round.
    assert away.abs().max() * 255 < 1.6 and away.abs().mean() * 255 < 0.35


def test_bytes_are_found_in_a_slice_of_a_larger_block() -> None:
    batch = square()
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    box, flip = boxes(batch)[5:9], torch.tensor([True, False, True, False])
    rows = torch.arange(4)
    made = crop_bytes(pixels[5:9], rows, box, flip, 16, "bilinear")
    assert torch.equal(made, crop_bytes(pixels, rows + 5, box, flip, 16, "bilinear"))


def keys(x: float, kernel: str) -> float:
    x = abs(x)
    if kernel == "bilinear":
        return max(0.0, 1 - x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_weights_are_those_of_a_naive_loop(kernel: str) -> None:
    start, length, size, source = [0, 3, 5], [17, 4, 1], 6, 20
    place = torch.arange(size).expand(3, size)
    scale = torch.tensor(length) / size
    made = resize_weights(place, torch.tensor(start), torch.tensor(length), scale, source, kernel)
    for n in range(3):
        stretch = max(1.0, length[n] / size)
        for i in range(size):
            centre = (i + 0.5) * length[n] / size
            raw = [keys((j + 0.5 - centre) / stretch, kernel) for j in range(length[n])]
            for j in range(source):
                inside = start[n] <= j < start[n] + length[n]
                expected = raw[j - start[n]] / math.fsum(raw) if inside else 0.0
                assert abs(made[n, i, j] - expected) < 2e-6
