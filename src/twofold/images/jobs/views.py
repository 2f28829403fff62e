"""The views of a run on images: by name or of one's own, with what is changed in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, cast

import torch

from twofold.catalog.wing import Recipe
from twofold.errors import UserError
from twofold.images.jobs.channels import only_rgb
from twofold.images.options import Pretrain
from twofold.images.reading import DecodeError, Images, Source
from twofold.images.reading.decode import decode
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import augmentation_named
from twofold.pixels.views.calls import generators_put_back, views_of
from twofold.pixels.views.changes import Change, changed, in_words, read_changes
from twofold.pixels.views.own import Called, brought, called, is_own
from twofold.pixels.views.per_picture import CalledViews
from twofold.pixels.views.views import ImageViews
from twofold.resources import usable_cores

TRIED = 8  # images that callables are tried on
RunViews: TypeAlias = ImageViews | CalledViews


def find_views(name: str) -> Augmentation | Called:
    """What a name stands for. Raises UserError where that is nothing."""
    if not is_own(name):
        return augmentation_named(name)
    found = brought(name)
    return found if isinstance(found, Augmentation) else called(name, found)


def changes_of(settings: Pretrain) -> list[Change]:
    """What is changed in the views. Raises UserError for what changes nothing."""
    found, options = find_views(settings.views), settings.view_options or {}
    if isinstance(found, Augmentation):
        return read_changes(found, settings.views, options)
    if options:
        raise UserError(f"--views.{next(iter(options))} changes a recipe, and {found.name} is called: change it there.")
    if settings.colour != "exact":
        raise UserError(f"--colour is about the jitter of recipes, and {found.name} is called: leave it out.")
    return []


def side_given(own: Called, source: Source, seed: int) -> int | None:
    """The side of the views that callables make, by the first image that can be read."""
    only_rgb(source.pixels, "Views that are called")
    for i in range(min(len(source), TRIED)):
        try:
            picture = decode(source.fetch(i), None, source.pixels).permute(1, 2, 0).numpy()
        except DecodeError:
            continue
        with generators_put_back():
            return views_of(own, picture, 1, source.names[i], seed)[0].shape[-1]
    return None


def make_views(settings: Pretrain, recipe: Recipe, images: Images, count: int) -> RunViews:
    """What makes `count` views of each image. recipe: the method's own. Raises UserError for what cannot be learned
    from."""
    size, found = cast(int, settings.image_size), find_views(settings.views)
    if isinstance(found, Augmentation):
        return ImageViews(
            changed(found, changes_of(settings)),
            size,
            seed=settings.seed,
            statistics=settings.statistics,
            count=count,
            colour=settings.colour,
            channels=images.source.pixels.channels,
        )
    only_rgb(images.source.pixels, "Views that are called")
    usual = augmentation_named(recipe.views)
    views = CalledViews(
        found,
        size,
        seed=settings.seed,
        statistics=settings.statistics,
        count=count,
        names=images.source.names,
        workers=min(images.workers, usable_cores()),
        tried=images.batch(torch.arange(min(len(images), TRIED))),
    )
    if usual.local and count > len(usual.views) and len(set(views.sides)) == 1:
        large, small = len(usual.views), count - len(usual.views)
        raise UserError(
            f"The method takes {large} large views and {small} small ones, and {found.name} makes all of {size} px: "
            f"give a list of {count} callables, or --method.local_views 0."
        )
    return views


def describe(settings: Pretrain, views: RunViews) -> Iterator[str]:
    """The views as the header of a run has them."""
    yield f"views: {views.count} of {settings.image_size} px by {settings.views}{in_words(changes_of(settings))}"
    if isinstance(views, CalledViews):
        processes = "in this process" if views.workers == 1 else f"in {views.workers} processes"
        yield (
            f"{settings.views} is called with one picture after the other ({processes}): slow beside a recipe as data "
            f"(twofold.pixels.views.Augmentation); what it gives is normalised by {settings.statistics}."
        )
        if not views.steady:
            yield (
                f"{settings.views} gives other views each time, although the generators of torch, NumPy and Python are "
                "set alike: it draws by one of its own, and a run that is stopped does not go on exactly."
            )
