"""The slow path on a batch: normalised, the same in any batch and by any number of processes, or refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from twofold.errors import UserError
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views.own import Called
from twofold.pixels.views.per_picture import CalledViews

from .pictures import mixed, square

NAMES = [f"{i}.png" for i in range(50_000)]
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than there are cores
VIEWS = v2.Compose([v2.RandomResizedCrop(16), v2.RandomHorizontalFlip(), v2.ColorJitter(0.4, 0.4, 0.4, 0.1)])


def make(*calls: Callable, size: int = 16, **options: Any) -> CalledViews:
    usual: dict[str, Any] = {"seed": 3, "statistics": "imagenet", "count": 2, "names": NAMES, "workers": 1}
    return CalledViews(Called("mine", calls), size, **{**usual, "tried": square(4), **options})


def test_views_are_normalised_and_say_nothing_of_where_they_were_cut() -> None:
    batch = square(6)
    plainly, views = make(v2.CenterCrop(16), statistics="none"), make(v2.CenterCrop(16))
    expected = batch.pixels[:, :, 24:40, 24:40].float() / 255
    assert torch.equal(plainly(batch, 0).tensors[0], expected)
    mean, std = (torch.tensor(values)[:, None, None] for values in (views.mean, views.std))
    made = views(batch, 0)
    torch.testing.assert_close(made.tensors[1], (expected - mean) / std)
    assert made.geometry == [] and torch.equal(made.index, batch.index) and len(made) == 2


def test_a_view_depends_on_neither_batch_nor_processes() -> None:
    batch = mixed(12)
    views = make(VIEWS)
    assert views.steady
    whole = views(batch, 1).tensors
    part = ImageBatch(batch.index[4:7], batch.pixels[4:7], batch.size[4:7])
    assert torch.equal(views(part, 1).tensors[1], whole[1][4:7])
    assert not torch.equal(whole[0], whole[1]) and not torch.equal(views(batch, 2).tensors[0], whole[0])
    several = make(VIEWS, workers=2)
    for epoch in (1, 2, 1):
        for one, other in zip(several(batch, epoch).tensors, views(batch, epoch).tensors, strict=True):
            assert torch.equal(one, other)


def test_where_a_process_is_ended_this_one_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    here = os.getpid()

    def ends(picture: Image.Image) -> Image.Image:
        if os.getpid() != here and not np.asarray(picture).any():
            os.kill(os.getpid(), signal.SIGTERM)
        return picture.crop((0, 0, 16, 16))

    views, dark = make(ends, workers=2), square(4)
    dark.pixels.zero_()
    assert torch.equal(views(dark, 0).tensors[0], make(ends)(dark, 0).tensors[0])
    assert "mine is called in this process from here on" in capsys.readouterr().err


def test_small_views_behind_the_first() -> None:
    views = make(v2.RandomResizedCrop(16), v2.RandomResizedCrop(16), v2.RandomResizedCrop(8), count=3)
    assert views.sides == [16, 16, 8]
    assert [view.shape for view in views(square(5), 0).tensors] == [(5, 3, 16, 16), (5, 3, 16, 16), (5, 3, 8, 8)]


def test_what_draws_by_a_generator_of_its_own_is_noticed() -> None:
    drawn = np.random.default_rng()
    views = make(lambda picture: drawn.random((16, 16, 3)), workers=2)
    assert not views.steady and views.workers == 1
    first, second = views(square(32), 0).tensors
    assert len(torch.cat([first, second]).unique(dim=0)) == 64


@pytest.mark.parametrize(
    ("calls", "options", "says"),
    [
        ([v2.CenterCrop(16)], {"size": 32}, r"views of 16 px where the run has 32: give --image-size 16"),
        ([v2.CenterCrop(8), v2.CenterCrop(16)], {"size": 8}, "views of 16 px where the run has 8"),
        ([lambda p: p.crop((0, 0, 16 + p.size[0] % 2, 16 + p.size[0] % 2))], {"tried": mixed(10)}, "end with a crop"),
        ([VIEWS] * 3, {}, "has 3 callables for 2 views: give one, or one for each"),
        ([lambda picture: [VIEWS(picture)] * 3], {}, "gives 3 views of a picture, and 2 are needed"),
    ],
    ids=["size", "larger", "unlike", "callables", "list"],
)
def test_what_cannot_be_learned_from_is_refused(calls: list, options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make(*calls, **options)


def test_a_mistake_in_another_process_is_the_same_sentence() -> None:
    def fails(picture: Image.Image) -> Image.Image:
        if np.asarray(picture).mean() > 150:
            raise ValueError("too bright")
        return picture.crop((0, 0, 16, 16))

    dark, bright = square(4), square(8)
    dark.pixels.zero_()
    views = make(fails, workers=2, tried=dark)
    with pytest.raises(UserError, match=r'^mine fails on "\d+.png" \(ValueError: too bright\)\.$'):
        views(bright, 0)
