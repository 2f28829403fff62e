"""Drawn parameters: torchvision's distributions, and nothing but seed, epoch, index, view and operation in them."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare, ks_2samp, kstest
from torch import Tensor
from torchvision.transforms import v2

from twofold.pixels.views.augmentations import AUGMENTATIONS, Augmentation, Blur, Crop, Flip, Grey, Jitter, Solarise
from twofold.pixels.views.draw import ORDERS, Drawn, draw, flips, geometry

MANY = torch.arange(3000)


def drawn(op: object, size: tuple[int, int] = (96, 128), index: Tensor = MANY, seed: int = 0, epoch: int = 0) -> Drawn:
    """The record of one operation for many images of one size."""
    ops = (op,) if isinstance(op, Crop) else (Crop(), op)
    return draw(Augmentation((ops,)), index, torch.tensor(size).expand(len(index), 2), seed, epoch, 1)[0][-1]  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "area"), [((96, 128), (0.08, 1.0)), ((128, 60), (0.2, 1.0)), ((33, 33), (0.08, 1.0))])
def test_boxes_are_distributed_as_torchvisions(size: tuple[int, int], area: tuple[float, float]) -> None:
    left, top, width, height = drawn(Crop(area), size).values.double().unbind(1)
    torch.manual_seed(0)
    transform, blank = v2.RandomResizedCrop(8, scale=area), torch.zeros(3, *size)
    theirs = [transform.make_params([blank]) for _ in range(2000)]
    for ours, name in ((left, "left"), (top, "top"), (width, "width"), (height, "height")):
        assert ks_2samp(ours.numpy(), [p[name] for p in theirs]).pvalue > 0.01, name
    assert ks_2samp((width * height).numpy(), [p["width"] * p["height"] for p in theirs]).pvalue > 0.01
    assert ks_2samp((width / height).numpy(), [p["width"] / p["height"] for p in theirs]).pvalue > 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3), (300, 7)])
def test_boxes_lie_inside_thin_and_tiny_images(size: tuple[int, int]) -> None:
    values = drawn(Crop(), size).values
    left, top, width, height = values.unbind(1)
    assert torch.equal(values, values.round())
    assert ((left >= 0) & (width >= 1) & (left + width <= size[1])).all()
    assert ((top >= 0) & (height >= 1) & (top + height <= size[0])).all()


def test_every_place_a_box_fits_in_is_as_likely() -> None:
    left, top, width, height = drawn(Crop((0.4, 0.5)), (3, 4), torch.arange(20000)).values.long().unbind(1)
    for start, length, whole in ((left, width, 4), (top, height, 3)):
        for short in length.unique().tolist():
            places = torch.bincount(start[length == short])
            assert len(places) == whole - short + 1 and places.min() > 0.85 * places.max()


@pytest.mark.parametrize("size", [(20, 200), (200, 20)])
def test_where_no_try_fits_the_box_is_the_central_one(size: tuple[int, int]) -> None:
    transform, blank = v2.RandomResizedCrop(8, scale=(0.99, 1.0)), torch.zeros(3, *size)
    theirs = transform.make_params([blank])
    expected = [theirs[name] for name in ("left", "top", "width", "height")]
    assert (drawn(Crop((0.99, 1.0)), size).values == torch.tensor(expected)).all()


def test_jitter_is_distributed_as_torchvisions() -> None:
    record = drawn(Jitter(0.8, 0.4, 1.5, 0.2, p=0.8))
    torch.manual_seed(0)
    transform = v2.ColorJitter(0.8, 0.4, 1.5, 0.2)
    theirs = [transform.make_params([]) for _ in range(2000)]
    for column, name in enumerate(("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")):
        assert ks_2samp(record.values[:, column].numpy(), [p[name] for p in theirs]).pvalue > 0.01, name
    assert chisquare(torch.bincount(record.values[:, 4].long(), minlength=24).numpy()).pvalue > 0.01
    columns = torch.corrcoef(torch.cat([record.applied.float()[:, None], record.values], 1).T)
    assert (columns - torch.eye(6)).abs().max() < 4 / math.sqrt(len(MANY))
    assert {tuple(p["fn_idx"].tolist()) for p in theirs} == set(ORDERS)
    assert abs(record.applied.float().mean() - 0.8) < 0.03
    assert (drawn(Jitter(0.8, 0.4, 1.5, 0.2, order="fixed")).values[:, 4] == 0).all() and ORDERS[0] == (0, 1, 2, 3)


def test_chances_and_sigmas() -> None:
    blur = drawn(Blur(0.3, (0.1, 2.0)))
    assert kstest(blur.values[:, 0].numpy(), "uniform", (0.1, 1.9)).pvalue > 0.01
    counts = torch.bincount(drawn(Blur(0.3, factors=(1.1, 1.2, 1.5))).values[:, 0].long())
    assert len(counts) == 3 and chisquare(counts.numpy()).pvalue > 0.01
    for op, p in (
        (Blur(0.3), 0.3),
        (Blur(0.3, factors=(2.0,)), 0.3),
        (Flip(), 0.5),
        (Grey(0.2), 0.2),
        (Solarise(0.1), 0.1),
        (Grey(0.0), 0),
        (Grey(1.0), 1),
    ):
        spread = 4 * math.sqrt(p * (1 - p) / len(MANY))
        assert abs(drawn(op).applied.float().mean() - p) <= spread


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_draws_depend_on_the_index_and_not_on_the_batch(name: str) -> None:
    index, size = torch.arange(100, 160), torch.randint(1, 90, (60, 2), generator=torch.Generator().manual_seed(1))
    pick = torch.randperm(60)[:13]
    whole = draw(AUGMENTATIONS[name], index, size, 7, 3, 4)
    some = draw(AUGMENTATIONS[name], index[pick], size[pick], 7, 3, 4)
    for draws, part in zip(whole, some, strict=True):
        for a, b in zip(draws, part, strict=True):
            assert torch.equal(a.applied[pick], b.applied) and torch.equal(a.values[pick], b.values)


def test_seed_epoch_view_and_operation_each_change_the_draws() -> None:
    base = drawn(Crop()).values
    assert not torch.equal(base, drawn(Crop(), seed=1).values)
    assert not torch.equal(base, drawn(Crop(), epoch=1).values)
    first, second = draw(AUGMENTATIONS["simclr-imagenet"], MANY, torch.full((3000, 2), 64), 0, 0)
    assert not torch.equal(first[0].values, second[0].values)
    # Which images are flipped, jittered, greyed and blurred is independent, between operations and between the views.
    signs = torch.stack([step.applied.float() for step in (*first[1:], *second[1:])])
    correlation = torch.corrcoef(signs) - torch.eye(len(signs))
    assert correlation.abs().max() < 4 / math.sqrt(len(MANY))
    assert Counter(flips(first).tolist())[True] > 1300


def test_geometry_is_the_box_and_the_flip() -> None:
    size = torch.tensor([[40, 60], [64, 32]])
    draws = draw(AUGMENTATIONS["wmse"], torch.tensor([3, 9]), size, 0, 0)[1]
    record = geometry(draws, size)
    crop = next(step for step in draws if isinstance(step.op, Crop)).values
    assert torch.equal(record.box[:, :2], crop[:, :2])
    assert torch.equal(record.box[:, 2:] - record.box[:, :2], crop[:, 2:])
    assert torch.equal(record.source, size.float()) and record.box.dtype == torch.float32
    assert torch.equal(record.flip, draws[3].applied)
    assert not flips((draws[2],)).any()
