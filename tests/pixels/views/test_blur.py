"""The blur is torchvision's."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from twofold.pixels.views.blur import blur, kernel_size


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
