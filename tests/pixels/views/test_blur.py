"""The blur is torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from twofold.pixels.views.blur import blur, kernel_size, shrink, shrunk


def test_the_kernel_is_a_tenth_of_the_view_made_odd() -> None:
    assert [kernel_size(size) for size in (8, 32, 40, 64, 96, 128, 224)] == [3, 3, 5, 7, 9, 13, 23]


@pytest.mark.parametrize(("high", "wide", "kernel"), [(64, 64, 7), (32, 32, 3), (11, 30, 9), (23, 12, 23), (2, 2, 3)])
def test_each_image_is_blurred_by_its_sigma(high: int, wide: int, kernel: int) -> None:
    draws = torch.Generator().manual_seed(0)
    x, sigma = torch.rand(9, 3, high, wide, generator=draws), torch.rand(9, generator=draws) * 1.9 + 0.1
    if wide <= kernel // 2:
        with pytest.raises(RuntimeError):
            blur(x, sigma, kernel)
        return
    expected = torch.stack(
        [F.gaussian_blur(one, [kernel] * 2, [s] * 2) for one, s in zip(x, sigma.tolist(), strict=True)]
    )
    assert (blur(x, sigma, kernel) - expected).abs().max() < 2e-6


def test_no_sigma_no_blur() -> None:
    x = torch.rand(4, 3, 16, 16)
    assert torch.equal(blur(x, torch.zeros(4), 5), x)


@pytest.mark.parametrize("on_host", [True, False])
@pytest.mark.parametrize("size", [1, 2, 24, 32, 33, 224])
def test_each_image_is_shrunk_by_its_factor_as_pillow_does_it(size: int, on_host: bool) -> None:
    """Away from black and white, where Pillow also clips between its passes along rows and columns."""
    draws, factors = torch.Generator().manual_seed(0), (1.1, 1.2, 1.5)
    place = torch.tensor([0.0, 2.0, -1.0, 1.0, 2.0])
    levels = torch.randint(80, 176, (5, 3, size, size), generator=draws, dtype=torch.uint8)
    made = shrink(levels.float() / 255, place, factors, on_host)
    for image, level, number in zip(made, levels, place.int().tolist(), strict=True):
        expected = Image.fromarray(level.permute(1, 2, 0).numpy())
        if number >= 0:
            side = max(int(size // factors[number]), 1)
            for s in (side, size):
                expected = expected.resize((s, s), Image.Resampling.BICUBIC)
        away = (image.permute(1, 2, 0) * 255 - torch.from_numpy(np.array(expected))).abs()
        assert away.max() <= (2.0 if number >= 0 else 1e-4)  # Pillow rounds to whole levels twice
    assert [shrunk(224, factor) for factor in factors] == [203, 186, 149] and shrunk(24, 1.2) == 20
