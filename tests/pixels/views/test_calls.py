"""One picture and what is called with it: forms that are understood, draws that are functions of seed and view."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from twofold.errors import UserError
from twofold.pixels.views.calls import generators_put_back, views_of
from twofold.pixels.views.own import Called

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
CUT = PICTURE[:16, :16]
PLANES = CUT.transpose(2, 0, 1).copy()


def one(result: Any, count: int = 1) -> list[np.ndarray]:
    return views_of(Called("mine", (lambda picture: result,)), PICTURE, count, "a.png", 0)


@pytest.mark.parametrize(
    "result",
    [
        Image.fromarray(CUT),
        CUT,
        CUT.astype(np.float64) / 255,
        torch.from_numpy(PLANES),
        torch.from_numpy(PLANES).float() / 255,
        tv_tensors.Image(torch.from_numpy(PLANES)),
        (torch.from_numpy(PLANES).float() / 255).requires_grad_(),
    ],
    ids=["pillow", "array", "floats", "tensor", "float-tensor", "tv-tensor", "with-gradient"],
)
def test_views_in_every_form_are_the_same_pixels(result: Any) -> None:
    (view,) = one(result)
    assert view.dtype in (np.uint8, np.float32)
    np.testing.assert_allclose(view if view.dtype == np.uint8 else view * 255, PLANES, atol=1e-4)


def test_half_precision_and_grey_pictures() -> None:
    (half,) = one(torch.from_numpy(PLANES).bfloat16() / 255)
    assert half.dtype == np.float32 and np.abs(half * 255 - PLANES).max() < 2
    (grey,) = one(Image.fromarray(CUT).convert("L"))
    assert grey.shape == (3, 16, 16) and (grey[0] == grey[2]).all()


def test_overshoot_is_cut_off() -> None:
    (view,) = one(torch.full((3, 4, 4), 1.1))
    assert view.max() == 1


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (None, "mine gives NoneType for \"a.png\": a view is a Pillow image, an array"),
        (PLANES, "an array of uint8 [3, 16, 16]"),
        (CUT[..., 0], "an array of uint8 [16, 16]"),
        (CUT[:8], "an array of uint8 [8, 16, 3]"),
        (CUT.astype(np.int64), "an array of int64"),
        (torch.from_numpy(CUT), "a tensor of uint8 [16, 16, 3]"),
        (torch.zeros(1, 8, 8), "a tensor of float32 [1, 8, 8]"),
        (torch.zeros(3, 0, 0), "a tensor of float32 [3, 0, 0]"),
        (torch.full((3, 8, 8), 255.0), "values from 255 to 255"),
        (torch.full((3, 8, 8), -2.0), "twofold normalises them itself, by --statistics"),
        (torch.full((3, 8, 8), float("nan")), "values from nan to nan"),
    ],
)  # fmt: skip
def test_what_is_no_view_is_said(result: Any, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        one(result)


def test_an_error_of_the_users_own_is_a_sentence() -> None:
    def fails(picture: Image.Image) -> None:
        raise ValueError("too dark.")

    with pytest.raises(UserError, match=r'mine fails on "a.png" \(ValueError: too dark\)\.'):
        views_of(Called("mine", (fails,)), PICTURE, 1, "a.png", 0)


def loud(picture: Image.Image) -> np.ndarray:
    """Draws by each of the global generators."""
    noise = float(torch.rand(())), np.random.rand(), random.random()
    return np.full((4, 4, 3), noise, np.float64)


def test_draws_are_functions_of_seed_keys_and_view() -> None:
    called = Called("mine", (loud,))
    first, second = views_of(called, PICTURE, 2, "", 0, 1, 5)
    assert len(np.unique(np.stack([first, second]))) == 6
    again = views_of(called, PICTURE, 2, "", 0, 1, 5)
    assert np.array_equal(again[0], first) and np.array_equal(again[1], second)
    for seed, epoch, index in ((1, 1, 5), (0, 2, 5), (0, 1, 6)):
        assert not np.array_equal(views_of(called, PICTURE, 1, "", seed, epoch, index)[0], first)


def test_the_global_generators_go_on_as_if_nothing_was_drawn() -> None:
    def three() -> list[float]:
        return [float(torch.rand(())), float(np.random.rand()), random.random()]

    with generators_put_back():
        expected = three()
    with generators_put_back():
        views_of(Called("mine", (loud,)), PICTURE, 2, "", 0)
    assert three() == expected


def test_several_callables_and_one_that_gives_all_views() -> None:
    small, large = v2.CenterCrop(8), v2.CenterCrop(16)
    made = views_of(Called("mine", (large, small)), PICTURE, 2, "", 0)
    both = views_of(Called("mine", (lambda picture: [large(picture), small(picture)],)), PICTURE, 2, "", 0)
    assert [view.shape for view in made] == [(3, 16, 16), (3, 8, 8)]
    assert all(np.array_equal(one, other) for one, other in zip(made, both, strict=True))


def test_a_callable_may_change_its_picture() -> None:
    def darkens(picture: Image.Image) -> Image.Image:
        picture.paste((0, 0, 0), (0, 0, 24, 20))
        return picture.crop((0, 0, 8, 8))

    before = PICTURE.copy()
    assert not views_of(Called("mine", (darkens,)), PICTURE, 2, "", 0)[1].any()
    assert np.array_equal(PICTURE, before)


def test_albumentations_is_called_in_its_own_way() -> None:
    albumentations = pytest.importorskip("albumentations")
    views = albumentations.Compose(
        [albumentations.RandomResizedCrop((16, 16)), albumentations.HorizontalFlip(p=0.5), albumentations.ColorJitter()]
    )
    made = [views_of(Called("mine", (views,)), PICTURE, 2, "", 0, index)[1] for index in (1, 1, 2)]
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])
