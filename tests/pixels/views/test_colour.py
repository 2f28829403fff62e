"""Colour operations are torchvision's, whatever the grouping; the linear jitter is the map it says it is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from twofold.pixels.views import colour
from twofold.pixels.views.apply import floats
from twofold.pixels.views.augmentations import Augmentation, Crop, Jitter
from twofold.pixels.views.draw import ORDERS, draw

from .pictures import square

ADJUST = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
OURS = (colour.brightness_, colour.contrast_, colour.saturation_, colour.hue_)


def pictures() -> Tensor:
    """Cells, every corner and edge of the colour cube, greys and noise: (n, 3, 64, 64)."""
    line = torch.linspace(0, 1, 16)
    cube = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(1, 3, 64, 64)
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    black = torch.zeros(1, 3, 64, 64)
    return torch.cat(
        [floats(square().pixels), cube, cube.round(), noise, black, black + 1, cube.mean(1).repeat(1, 3, 1, 1)]
    )


@pytest.mark.parametrize(("number", "low", "high"), [(0, 0.0, 2.0), (1, 0.0, 2.0), (2, 0.0, 2.0), (3, -0.5, 0.5)])
def test_each_operation_is_torchvisions(number: int, low: float, high: float) -> None:
    x = pictures()
    for seed in range(3):
        factor = torch.rand(len(x), generator=torch.Generator().manual_seed(seed)) * (high - low) + low
        factor[0], factor[1] = low, high
        made = OURS[number](x.clone(), factor)
        expected = torch.stack([ADJUST[number](one, f) for one, f in zip(x, factor.tolist(), strict=True)])
        assert (made - expected).abs().max() < 5e-6


def test_neutral_values_leave_an_image_as_it_is() -> None:
    x = pictures()
    for change, value in zip(OURS, colour.NEUTRAL, strict=True):
        assert (change(x.clone(), torch.full((len(x),), value)) - x).abs().max() < 1e-6
    assert torch.equal(colour.grey_(x.clone(), torch.zeros(len(x))), x)
    assert torch.equal(colour.solarise_(x.clone(), torch.full((len(x),), 2.0)), x)


def test_grey_and_solarise_are_torchvisions() -> None:
    x = pictures()
    grey = colour.grey_(x.clone(), torch.ones(len(x)))
    assert (grey - F.rgb_to_grayscale(x, num_output_channels=3)).abs().max() < 1e-6
    assert torch.equal(colour.solarise_(x.clone(), torch.full((len(x),), 0.5)), F.solarize(x, 0.5))


def test_contrast_looks_at_real_pixels_only() -> None:
    x, factor = pictures(), torch.full((len(pictures()),), 0.3)
    expected = colour.contrast_(x[:, :, :20, :30].clone(), factor)
    inside = torch.zeros(len(x), 1, 64, 64)
    inside[:, :, :20, :30] = 1
    made = colour.contrast_(x.clone(), factor, inside)[:, :, :20, :30]
    assert (made - expected).abs().max() < 1e-6


def jitters(count: int, order: str = "random") -> tuple[Tensor, Tensor]:
    ops = (Crop(), Jitter(0.8, 0.8, 0.8, 0.5, p=0.8, order=order))  # type: ignore[arg-type]
    record = draw(Augmentation((ops,)), torch.arange(count), torch.full((count, 2), 64), 0, 0, 1)[0][1]
    return record.applied, record.values


def one_by_one(x: Tensor, applied: Tensor, values: Tensor) -> Tensor:
    made = []
    for image, due, value in zip(x, applied.tolist(), values.tolist(), strict=True):
        for number in ORDERS[int(value[4])] if due else ():
            image = ADJUST[number](image, value[number])
        made.append(image)
    return torch.stack(made)


@pytest.mark.parametrize("order", ["random", "fixed"])
@pytest.mark.parametrize("jitter_", [colour.jitter_by_order_, colour.jitter_by_slot_])
def test_a_jitter_follows_the_drawn_order(jitter_: object, order: str) -> None:
    x = pictures().repeat(2, 1, 1, 1)
    applied, values = jitters(len(x), order)
    made = jitter_(x.clone(), applied, values)  # type: ignore[operator]
    assert (made - one_by_one(x, applied, values)).abs().max() < 2e-5
    assert torch.equal(made[~applied], x[~applied]) or jitter_ is colour.jitter_by_slot_


def linear_by_hand(image: Tensor, values: list[float]) -> Tensor:
    """The linear jitter of one image (3, n), an operation at a time in float64."""
    luma = torch.tensor(colour.LUMA, dtype=torch.float64)
    yiq = torch.stack([luma, luma.new_tensor([0.596, -0.274, -0.321]), luma.new_tensor([0.211, -0.523, 0.311])])
    x = image.double()
    for number in ORDERS[int(values[4])]:
        value = values[number]
        if number == 0:
            x = x * value
        elif number == 1:
            x = x * value + (1 - value) * (luma @ x).mean()
        elif number == 2:
            x = x * value + (1 - value) * (luma @ x)
        else:
            cos, sin = math.cos(2 * math.pi * value), math.sin(2 * math.pi * value)
            turn = luma.new_tensor([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
            x = torch.linalg.inv(yiq) @ turn @ yiq @ x
    return x.clamp(0, 1)


def test_the_linear_jitter_is_its_operations_without_clips() -> None:
    x = pictures()
    applied, values = jitters(len(x))
    made = colour.map_linear_(x.clone(), colour.linear_maps(applied, values))
    for row in range(len(x)):
        flat = x[row].flatten(1)
        expected = linear_by_hand(flat, values[row].tolist()) if applied[row] else flat
        assert (made[row].flatten(1) - expected).abs().max() < 2e-5


def test_the_linear_jitter_is_exact_where_nothing_clips_and_no_hue_turns() -> None:
    x = 0.4 + 0.2 * pictures()
    applied, values = jitters(len(x))
    values[:, :3], values[:, 3] = 0.8 + 0.2 * values[:, :3], 0.0
    made = colour.map_linear_(x.clone(), colour.linear_maps(applied, values))
    assert (made - one_by_one(x, applied, values)).abs().max() < 2e-4  # the luma weights sum to 0.9999
