"""Whole augmentations: the fast path is the exact one, its geometry is true, a view does not depend on the batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from twofold.errors import UserError
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views import AUGMENTATIONS, STATISTICS, Augmentation, apply
from twofold.pixels.views.augmentations import Crop, Flip, Grey, Jitter, Solarise
from twofold.pixels.views.reference import reference_views
from twofold.pixels.views.views import ImageViews, evaluation_view

from .pictures import cells, image, mixed, square


def levels(views: ImageViews, made: list[Tensor], expected: list[Tensor]) -> Tensor:
    """Absolute differences in levels of 1/255, normalisation undone."""
    std = torch.tensor(views.std)[:, None, None]
    return torch.stack([(a - b).mul(std).abs() * 255 for a, b in zip(made, expected, strict=True)])


def both(views: ImageViews, batch: ImageBatch, epoch: int = 2) -> Tensor:
    statistics = views.mean, views.std
    settings = {"seed": views.seed, "epoch": epoch, "statistics": statistics, "count": views.count}
    expected = reference_views(batch, views.augmentation, views.size, **settings)  # type: ignore[arg-type]
    return levels(views, views(batch, epoch).tensors, expected)


@pytest.mark.parametrize("batch", [square, mixed])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_is_what_torchvision_makes_of_it_image_by_image(name: str, batch: object) -> None:
    away = both(ImageViews(name, 32, seed=5), batch())  # type: ignore[operator]
    # Float rounding through the jitter; 1 level is 1/255.
    assert away.max() < 0.02 and away.mean() < 2e-4


@pytest.mark.parametrize("name", ["simclr-imagenet", "byol", "scrl", "wmse"])
def test_larger_views_too(name: str) -> None:
    away = both(ImageViews(name, 70, seed=5), mixed(20))
    assert away.max() < 0.02 and away.mean() < 2e-4


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_path_of_other_devices_differs_by_the_rounding_of_8_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "on_host", lambda x: False)
    away = both(ImageViews(name, 32, seed=5), mixed())
    colour_first = not isinstance(AUGMENTATIONS[name].view(0)[0], Crop)
    # A crop of stored bytes is rounded to 1/255 on a CPU; the jitter stretches that.
    assert (away.max() < 0.02) if colour_first else (away.max() < 8 and away.mean() < 0.35)


@pytest.mark.parametrize(("name", "mean"), [("simclr-imagenet", 20), ("moco-v2", 14), ("wmse", 14)])
def test_linear_colour_stays_within_its_stated_distance(name: str, mean: float) -> None:
    views = ImageViews(name, 32, seed=5, colour="linear")
    away = both(views, square())
    assert 0.5 < away.mean() < mean
    assert (
        both(ImageViews(Augmentation(((Crop(), Flip(), Grey(0.5)),)), 32, seed=5, colour="linear"), square()).max()
        < 0.02
    )


@pytest.mark.parametrize("colour", ["exact", "linear"])
@pytest.mark.parametrize("name", ["simclr-imagenet", "byol", "scrl", "wmse"])
def test_a_view_does_not_depend_on_the_batch(name: str, colour: str) -> None:
    batch, views = mixed(), ImageViews(name, 32, seed=1, colour=colour)  # type: ignore[arg-type]
    whole = views(batch, 4)
    pick = torch.tensor([31, 2, 17, 20, 3])
    tight = batch.size[pick].amax(0).tolist()
    part = ImageBatch(batch.index[pick], batch.pixels[pick, :, : tight[0], : tight[1]], batch.size[pick])
    some = views(part, 4)
    for a, b in zip(whole.tensors, some.tensors, strict=True):
        assert (a[pick] - b).abs().max() < 1e-4
    again = views(batch, 4)
    assert all(torch.equal(a, b) for a, b in zip(whole.tensors, again.tensors, strict=True))
    assert not torch.equal(views(batch, 5).tensors[0], whole.tensors[0])
    assert not torch.equal(whole.tensors[0], whole.tensors[1])


@pytest.mark.parametrize("batch", [square, mixed])
def test_the_geometry_says_where_a_view_lies(batch: object) -> None:
    views = ImageViews(Augmentation(((Crop(), Flip()),)), 24, seed=3)
    data: ImageBatch = batch()  # type: ignore[operator]
    made = views(data, 0)
    for view, where in zip(made.tensors, made.geometry, strict=True):
        for row in range(len(data)):
            left, top, right, bottom = (int(value) for value in where.box[row])
            cut = F.resize(image(data, row)[:, top:bottom, left:right], [24, 24], antialias=True)
            expected = F.horizontal_flip(cut) if where.flip[row] else cut
            assert torch.equal(view[row], expected.float() / 255)
            assert where.source[row].tolist() == data.size[row].tolist()


def test_four_views_and_views_with_unlike_operations() -> None:
    four = ImageViews("wmse", 16, seed=0, count=4)(square(8), 0)
    assert len(four) == len(four.geometry) == 4
    unlike = Augmentation(
        ((Crop(), Solarise(0.5), Flip()), (Crop(), Jitter(0.4, 0.4, 0.4, 0.1)), (Crop(interpolation="bicubic"),))
    )
    assert both(ImageViews(unlike, 16, seed=0, count=4), mixed()).max() < 0.02


def test_one_image_and_any_layout_of_the_block() -> None:
    batch, views = square(9), ImageViews("moco-v2", 32, seed=0)
    made = views(batch, 0).tensors
    other = ImageBatch(batch.index, batch.pixels.contiguous(memory_format=torch.channels_last), batch.size)
    assert all(torch.equal(a, b) for a, b in zip(made, views(other, 0).tensors, strict=True))
    alone = views(ImageBatch(batch.index[4:5], batch.pixels[4:5], batch.size[4:5]), 0).tensors
    assert all((a[4:5] - b).abs().max() < 1e-5 for a, b in zip(made, alone, strict=True))
    assert made[0].is_contiguous() and made[0].dtype == torch.float32


def test_the_surroundings_do_not_matter() -> None:
    batch, views = square(9), ImageViews("wmse", 32, seed=0)
    expected, threads = views(batch, 0).tensors, torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        made = views(batch, 0).tensors
    assert all(torch.equal(a, b) for a, b in zip(expected, made, strict=True))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    before = batch.pixels.clone()
    views(batch, 1)
    assert torch.equal(batch.pixels, before)


def test_statistics_are_used_where_the_augmentation_normalises() -> None:
    assert ImageViews("simclr-cifar", 32, seed=0, statistics="cifar10").mean == (0, 0, 0)
    views = ImageViews("moco-cifar", 32, seed=0, statistics="cifar10")
    assert (views.mean, views.std) == STATISTICS["cifar10"]
    with pytest.raises(UserError, match="augmentation"):
        ImageViews("mocov9", 32, seed=0)
    with pytest.raises(UserError, match="Colour"):
        ImageViews("moco-v2", 32, seed=0, colour="fast")  # type: ignore[arg-type]


def test_evaluation_sees_the_normalised_centre() -> None:
    pixels = cells(8)
    batch = ImageBatch(torch.arange(8), pixels, torch.full((8, 2), 64))
    mean, std = STATISTICS["imagenet"]
    assert torch.allclose(evaluation_view(batch, mean, std), v2.Normalize(mean, std)(pixels / 255), atol=1e-6)


@pytest.mark.parametrize("size", [24, 70])
def test_small_crops_are_smaller_and_what_torchvision_makes_of_them(size: int) -> None:
    views = ImageViews("dino-resnet50", size, seed=5, count=5)
    batch = mixed(20)
    made = views(batch, 0)
    small = round(96 / 224 * size)
    assert [view.shape[2:] for view in made.tensors] == [(size, size)] * 2 + [(small, small)] * 3
    assert views.sides == [size, size, small, small, small]
    settings = {"seed": 5, "epoch": 0, "statistics": (views.mean, views.std), "count": 5}
    expected = reference_views(batch, views.augmentation, size, **settings)  # type: ignore[arg-type]
    for ours, theirs in zip(made.tensors, expected, strict=True):
        away = (ours - theirs).abs() * 255 / 4
        assert away.max() < 0.05 and away.mean() < 5e-4
    assert not torch.equal(made.tensors[2], made.tensors[3])
    shares = [(g.box[:, 2] - g.box[:, 0]) * (g.box[:, 3] - g.box[:, 1]) / g.source.prod(1) for g in made.geometry]
    assert max(float(share.mean()) for share in shares[2:]) < min(float(share.mean()) for share in shares[:2])
