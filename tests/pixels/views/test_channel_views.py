"""Views of images that are not RGB: torchvision's operations on each channel like on grey, at 8 and 16 bits."""

from __future__ import annotations

import pytest
import torch

from twofold.errors import UserError
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views import AUGMENTATIONS, apply
from twofold.pixels.views.augmentations import Augmentation, Grey, Jitter, Normalise, Solarise
from twofold.pixels.views.channels import for_channels, left_out, statistics_of, statistics_text
from twofold.pixels.views.reference import reference_views
from twofold.pixels.views.views import ImageViews, evaluation_view

LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def ragged(channels: int, dtype: torch.dtype, count: int = 12) -> ImageBatch:
    """Smooth pictures of different sizes with noise over them, padded."""
    draws = torch.Generator().manual_seed(channels)
    size = torch.randint(20, 45, (count, 2), generator=draws)
    pixels = torch.zeros(count, channels, 44, 44)
    for row, (high, wide) in enumerate(size.tolist()):
        coarse = torch.rand(1, channels, 4, 5, generator=draws)
        smooth = torch.nn.functional.interpolate(coarse, (high, wide), mode="bilinear")[0]
        pixels[row, :, :high, :wide] = 0.8 * smooth + 0.2 * torch.rand(channels, high, wide, generator=draws)
    return ImageBatch(torch.arange(count), (pixels * LEVELS[dtype]).to(dtype), size)


def away(views: ImageViews, batch: ImageBatch) -> torch.Tensor:
    """Differences from the exact path in levels of 1/255, normalisation undone."""
    made = views(batch, 2).tensors
    exact = reference_views(
        batch,
        views.augmentation,
        views.size,
        seed=views.seed,
        epoch=2,
        statistics=(views.mean, views.std),
        count=views.count,
    )
    std = torch.tensor(views.std)[:, None, None]
    return torch.stack([((a - b) * std).abs() * 255 for a, b in zip(made, exact, strict=True)])


@pytest.mark.parametrize("host", [True, False])
@pytest.mark.parametrize("name", ["simclr-imagenet", "moco-v2", "byol", "scrl", "wmse"])
@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, torch.uint16), (3, torch.uint16), (5, torch.uint8), (13, torch.uint16)]
)
def test_views_are_those_of_torchvision_channel_by_channel(monkeypatch, channels, dtype, name, host) -> None:
    if not host:
        monkeypatch.setattr(apply, "on_host", lambda x: False)
    views = ImageViews(name, 32, seed=5, channels=channels, statistics=((0.2,) * channels, (0.1,) * channels))
    found = away(views, ragged(channels, dtype))
    assert found.shape[2:] == (channels, 32, 32) and found.max() < 0.05 and found.mean() < 5e-4


@pytest.mark.parametrize("name", ["moco-v2", "byol"])
def test_one_channel_five_times_over_is_five_times_the_view_of_one(name: str) -> None:
    one = ragged(1, torch.uint16)
    five = ImageBatch(one.index, one.pixels.repeat(1, 5, 1, 1), one.size)
    made = [
        ImageViews(name, 32, seed=1, channels=n, statistics=((0.0,) * n, (1.0,) * n))(batch, 0).tensors
        for n, batch in ((1, one), (5, five))
    ]
    for a, b in zip(*made, strict=True):
        assert torch.allclose(a.expand_as(b), b, atol=1e-5)


def test_16_bits_are_not_rounded_to_8() -> None:
    batch = ragged(5, torch.uint16)
    batch.pixels = (batch.pixels.float() / 256).to(torch.uint16)  # all within one level of 8 bits
    view = evaluation_view(batch, (0.0,) * 5, (1.0,) * 5)
    assert len(view.unique()) > 200 and view.max() < 1.1 / 255
    made = ImageViews("moco-v2", 32, seed=1, channels=5, statistics=((0.0,) * 5, (1e-3,) * 5))(batch, 0)
    assert made.tensors[0][0].std() > 0.1


def test_what_needs_red_green_and_blue_is_left_out_and_named() -> None:
    for augmentation in AUGMENTATIONS.values():
        kept = for_channels(augmentation, 5)
        for view in (*kept.views, *([kept.local] if kept.local else [])):
            assert not any(isinstance(op, Grey | Solarise) for op in view) and isinstance(view[-1], Normalise)
            assert all(op.saturation == op.hue == 0 < op.brightness for op in view if isinstance(op, Jitter))
    assert left_out(AUGMENTATIONS["byol"], 5) == ["saturation", "hue", "grey", "solarisation"]
    assert left_out(AUGMENTATIONS["byol"], 3) == []
    three = for_channels(AUGMENTATIONS["simclr-cifar"], 3)
    assert three == Augmentation(((*AUGMENTATIONS["simclr-cifar"].views[0], Normalise()),))
    assert for_channels(AUGMENTATIONS["moco-v2"], 3) == AUGMENTATIONS["moco-v2"]
    assert for_channels(AUGMENTATIONS["swav"], 5).local and not for_channels(AUGMENTATIONS["byol"], 5).local


def test_statistics_are_names_or_numbers() -> None:
    numbers = (0.0123457, 0.5, 0.25), (0.1, 0.2, 0.3)
    assert statistics_of(statistics_text(numbers), 3) == numbers
    assert statistics_of("none", 5) == ((0.0,) * 5, (1.0,) * 5) and statistics_of("imagenet")[0][0] == 0.485
    for text, channels, message in [
        ("imagenet", 5, "The statistics imagenet are those of RGB, not of 5 channels"),
        ("imagenett", 3, "no channel statistics"),
        ("0.1,0.2:0.1,0.2", 3, "are not 3 means and as many deviations"),
        ("0.1,0.2:0.1,0", 2, "are not 2 means"),
        ("a,b:c,d", 2, "Statistics are one of"),
        ("1:2:3", 1, "Statistics are one of"),
    ]:
        with pytest.raises(UserError, match=message):
            statistics_of(text, channels)


def test_a_linear_jitter_of_other_channels_is_refused() -> None:
    with pytest.raises(UserError, match="A linear jitter is one of RGB, not of 5 channels"):
        ImageViews("byol", 32, seed=0, channels=5, colour="linear")
