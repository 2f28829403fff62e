"""From what the user gave to the value of every option: what is left open follows from the data and the recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.images.jobs.views import changes_of, find_views, side_given
from twofold.images.options import Pretrain
from twofold.images.reading import DecodeError, Source
from twofold.images.reading.decode import image_size
from twofold.images.reading.pixels import UNIT, WHOLE
from twofold.images.reading.statistics import measure_statistics
from twofold.pixels.views.changes import full_options
from twofold.pixels.views.channels import statistics_text
from twofold.pixels.views.own import Called
from twofold.runs.folder import default_out
from twofold.training.settling import settle_training

SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
CPU_SIDE, SMALL_SIDE = 96, 64
EPOCHS = 200
LOOKED_AT = 64


def settle(options: Pretrain, composition: Composition, source: Source, data: str, gpu: bool) -> Pretrain:
    """The options with every value filled in. Raises UserError where the data cannot carry what was asked."""
    if len(source) < 2:
        raise UserError(f"{data} holds {len(source)} image{'' if len(source) == 1 else 's'}: give at least two.")
    side, pixels = options.image_size or _own_side(options, source) or fitting_side(source, gpu), source.pixels
    name = recipe_for(side) if options.recipe == "auto" else options.recipe
    recipe = composition.recipe(name)
    settings = replace(
        options,
        kind=composition.kind,
        out=options.out or default_out(composition.name, data),
        recipe=name,
        image_size=side,
        channels=pixels.channels or options.channels,
        white=options.white if options.white is not None else None if pixels.white in (WHOLE, UNIT) else pixels.white,
        black=options.black if options.black is not None else pixels.black or None,
        fourth_channel="drop" if pixels.fourth == "drop" else options.fourth_channel,
        backbone=_or(options.backbone, "resnet50" if gpu and side > CPU_SIDE else "resnet18"),
        views=_or(options.views, recipe.views),
        statistics=_statistics(options.statistics, source, "cifar10" if name == "cifar" and side == 32 else "imagenet"),
        batch_size=options.batch_size or fitting_batch(len(source), recipe.plan["batch_size"] if gpu else 256),
    )
    settings = replace(settings, view_options=full_options(changes_of(settings)))
    return settle_training(settings, recipe.plan, len(source), epochs=EPOCHS)


def recipe_for(side: int) -> str:
    """The recipe for views of so many pixels."""
    return "cifar" if side <= SMALL_SIDE else "imagenet"


def fitting_batch(images: int, published: int) -> int:
    """The largest power of two that is at most the published batch and a quarter of the images; 2 at least."""
    largest = max(min(published, images // 4), 2)
    return 1 << (largest.bit_length() - 1)


def fitting_side(source: Source, gpu: bool) -> int:
    """The largest usual side that the median image can fill; at most 96 px without a GPU, where more takes days."""
    median = float(np.median(sampled_sides(source) or [SIDES[-1]]))
    usual = [side for side in SIDES if gpu or side <= CPU_SIDE]
    return max([side for side in usual if side <= median], default=usual[0])


def sampled_sides(source: Source) -> list[int]:
    """Short sides in pixels of up to 64 images spread over the set, from their headers."""
    chosen = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(int))
    return [side for i in chosen if (side := _short_side(source, int(i)))]


def _own_side(options: Pretrain, source: Source) -> int | None:
    """The side of the views that callables of the user's own make, where it is these that are asked for."""
    found = None if options.views == "auto" else find_views(options.views)
    return side_given(found, source, options.seed) if isinstance(found, Called) else None


def _short_side(source: Source, i: int) -> int:
    try:
        return min(image_size(source.open(i)))
    except (DecodeError, OSError):
        return 0


def _statistics(asked: str, source: Source, usual: str) -> str:
    """What pixels are normalised with: as asked, usual for RGB, and measured for others."""
    if asked == "measured" or (asked == "auto" and source.pixels.channels):
        return statistics_text(measure_statistics(source))
    return _or(asked, usual)


def _or(value: str, usual: str) -> str:
    return usual if value == "auto" else value
