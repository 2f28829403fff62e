"""Augmentations are the authors' operations in the authors' order, and one that cannot work is refused."""

from __future__ import annotations

import pytest

from twofold.errors import UserError
from twofold.pixels.views.augmentations import (
    AUGMENTATIONS,
    STATISTICS,
    Augmentation,
    Blur,
    Clip,
    Crop,
    Flip,
    Grey,
    Jitter,
    Normalise,
    Solarise,
    augmentation_named,
    statistics_named,
)

ORDER = {
    "simclr-imagenet": [Crop, Flip, Jitter, Grey, Blur],
    "simclr-cifar": [Crop, Flip, Jitter, Grey],
    "moco-v1": [Crop, Grey, Jitter, Flip, Normalise],
    "moco-v2": [Crop, Jitter, Grey, Blur, Flip, Normalise],
    "moco-cifar": [Crop, Flip, Jitter, Grey, Normalise],
    "simsiam-imagenet": [Crop, Jitter, Grey, Blur, Flip, Normalise],
    "simsiam-cifar": [Crop, Jitter, Grey, Flip, Normalise],
    "byol": [Crop, Flip, Jitter, Grey, Blur, Solarise, Clip, Normalise],
    "scrl": [Crop, Flip, Jitter, Grey, Blur, Solarise, Clip, Normalise],
    "scrl-small": [Crop, Jitter, Grey, Solarise, Flip, Normalise],
    "moco-v3": [Crop, Jitter, Grey, Blur, Solarise, Flip, Normalise],
    "dino-resnet50": [Crop, Flip, Jitter, Grey, Blur, Solarise, Normalise],
    "swav": [Crop, Flip, Jitter, Grey, Blur, Normalise],
    "lejepa": [Crop, Flip, Jitter, Grey, Blur, Solarise, Normalise],
    "lejepa-vit": [Crop, Flip, Jitter, Grey, Blur, Solarise, Normalise],
    "lejepa-small": [Crop, Jitter, Grey, Solarise, Flip, Normalise],
    "asymmetric-cifar": [Crop, Jitter, Grey, Solarise, Flip, Normalise],
    "vicreg-cifar": [Crop, Jitter, Grey, Solarise, Flip, Normalise],
    "wmse": [Jitter, Grey, Crop, Flip, Normalise],
    "wmse-imagenet100": [Jitter, Grey, Crop, Flip, Blur, Normalise],
}
# Least area, kernel, jitter (b, c, s, h, p), grey.
SETTINGS = {
    "simclr-imagenet": (0.08, "bicubic", (0.8, 0.8, 0.8, 0.2, 0.8), 0.2),
    "simclr-cifar": (0.08, "bicubic", (0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
    "moco-v1": (0.2, "bilinear", (0.4, 0.4, 0.4, 0.4, 1.0), 0.2),
    "moco-v2": (0.2, "bilinear", (0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
    "moco-cifar": (0.08, "bilinear", (0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
    "simsiam-imagenet": (0.2, "bilinear", (0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
    "simsiam-cifar": (0.2, "bilinear", (0.4, 0.4, 0.4, 0.1, 0.8), 0.2),
    "byol": (0.08, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "scrl": (0.2, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "scrl-small": (0.2, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "moco-v3": (0.2, "bilinear", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "dino-resnet50": (0.14, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "swav": (0.14, "bilinear", (0.8, 0.8, 0.8, 0.2, 0.8), 0.2),
    "lejepa": (0.08, "bilinear", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "lejepa-vit": (0.3, "bilinear", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "lejepa-small": (0.08, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "asymmetric-cifar": (0.08, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "vicreg-cifar": (0.2, "bicubic", (0.4, 0.4, 0.2, 0.1, 0.8), 0.2),
    "wmse": (0.2, "bicubic", (0.4, 0.4, 0.4, 0.1, 0.8), 0.1),
    "wmse-imagenet100": (0.08, "bicubic", (0.8, 0.8, 0.8, 0.2, 0.8), 0.2),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_is_what_its_authors_ran(name: str) -> None:
    for ops in AUGMENTATIONS[name].views:
        assert [type(op) for op in ops] == ORDER[name]
        (crop,) = (op for op in ops if isinstance(op, Crop))
        (jitter,) = (op for op in ops if isinstance(op, Jitter))
        (grey,) = (op for op in ops if isinstance(op, Grey))
        strength = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue, jitter.p)
        assert (crop.area[0], crop.interpolation, strength, grey.p) == SETTINGS[name]
        assert crop.area[1] == 1 and crop.ratio == (3 / 4, 4 / 3) and jitter.order == "random"
        assert all(op.p == 0.5 for op in ops if isinstance(op, Flip))


@pytest.mark.parametrize("name", ["byol", "scrl", "moco-v3", "dino-resnet50"])
def test_both_views_are_blurred_and_solarised_differently(name: str) -> None:
    chances = [[op.p for op in ops if isinstance(op, (Blur, Solarise))] for ops in AUGMENTATIONS[name].views]
    assert chances == [[1.0, 0.0], [0.1, 0.2]]
    assert (
        AUGMENTATIONS[name].view(2)
        == (AUGMENTATIONS[name].local or AUGMENTATIONS[name].view(0))
        != AUGMENTATIONS[name].view(1)
    )


def test_scrl_alone_blurs_by_shrinking() -> None:
    factors = {
        name: [op.factors for op in AUGMENTATIONS[name].view(1) if isinstance(op, Blur)] for name in AUGMENTATIONS
    }
    assert factors.pop("scrl") == [(1.1, 1.2, 1.5)]
    assert not any(any(found) for found in factors.values())


def test_the_small_crops_of_dino() -> None:
    augmentation = AUGMENTATIONS["dino-resnet50"]
    assert [augmentation.view(number) == augmentation.local for number in range(5)] == [False, False, True, True, True]
    crop, flip, jitter, grey, blur, solarise, _ = augmentation.local
    assert crop == Crop((0.05, 0.14), interpolation="bicubic", side=96 / 224) and crop.pixels(224) == 96
    assert (flip, jitter, grey) == augmentation.view(0)[1:4] and (blur, solarise) == (Blur(0.5), Solarise(0.0))
    with pytest.raises(UserError):
        Augmentation((augmentation.view(0),), local=(Flip(),))


def test_the_small_crops_of_swav_are_its_large_ones_but_for_the_crop() -> None:
    augmentation = AUGMENTATIONS["swav"]
    assert (
        augmentation.view(0) == augmentation.view(1)
        and augmentation.view(2) == augmentation.view(7) == augmentation.local
    )
    assert augmentation.local == (Crop((0.05, 0.14), side=96 / 224), *augmentation.view(0)[1:])


def test_views_that_are_solarised_but_never_blurred() -> None:
    chances = {
        name: [op.p for ops in AUGMENTATIONS[name].views for op in ops if isinstance(op, Solarise)]
        for name in ("asymmetric-cifar", "vicreg-cifar")
    }
    assert chances == {"asymmetric-cifar": [0.0, 0.2], "vicreg-cifar": [0.1]}


def test_only_simclr_leaves_its_views_in_0_to_1() -> None:
    assert [name for name, augmentation in AUGMENTATIONS.items() if not augmentation.normalises] == [
        "simclr-imagenet",
        "simclr-cifar",
    ]


@pytest.mark.parametrize(
    "ops",
    [
        (),
        (Flip(),),
        (Crop(), Crop()),
        (Crop(), Flip(), Flip()),
        (Flip(), Crop()),
        (Blur(1.0), Crop()),
        (Crop(), Normalise(), Clip()),
    ],
)
def test_an_augmentation_that_cannot_work_is_refused(ops: tuple) -> None:
    with pytest.raises(UserError):
        Augmentation((ops,))
    with pytest.raises(UserError):
        Augmentation(())


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert statistics_named("stl10") == STATISTICS["stl10"]
    with pytest.raises(UserError, match='Did you mean "moco-v2"'):
        augmentation_named("moco_v2")
    with pytest.raises(UserError, match='Did you mean "cifar10"'):
        statistics_named("cifar-10")
