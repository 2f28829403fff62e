"""From what the user gave to the value of every option: what is left open follows from the data and the recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.pixels.views.changes import full_options
from twofold.runs.folder import default_out
from twofold.training.settling import settle_training
from twofold.videos.backbones.names import RESIDUAL
from twofold.videos.jobs.views import changes_of, find_views
from twofold.videos.options import Pretrain
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.store import VideoStore
from twofold.videos.rule import Sampling
from twofold.videos.views.pretext import Pretext

PUBLISHED_SIDE, SMALL_SIDE = 112, 64
EPOCHS = 200


def settle(options: Pretrain, composition: Composition, source: VideoSource, data: str, gpu: bool) -> Pretrain:
    """The options with every value filled in. Raises UserError where the data cannot carry what was asked."""
    if len(source) < 2:
        raise UserError(f"{data} holds {len(source)} video{'' if len(source) == 1 else 's'}: give at least two.")
    side = options.image_size or (PUBLISHED_SIDE if gpu else SMALL_SIDE)
    small = "small" if "small" in composition.recipes else next(iter(composition.recipes))
    large = next(iter(composition.recipes))
    name = (small if side < PUBLISHED_SIDE else large) if options.recipe == "auto" else options.recipe
    recipe = composition.recipe(name)
    views = recipe.views if options.views == "auto" else options.views
    sampling = find_views(views).sampling
    backbone = ("r3d18" if gpu else "r3d10-small") if options.backbone == "auto" else options.backbone
    dense = backbone in RESIDUAL and recipe.plan.get("last_stage") == "dense"
    settings = replace(
        options,
        kind=composition.kind,
        out=options.out or default_out(composition.name, data),
        recipe=name,
        image_size=side,
        frames=options.frames or sampling.frames,
        stride=options.stride or (sampling.stride if isinstance(sampling.stride, int) else None),
        backbone=backbone,
        last_stage=("dense" if dense else "strided") if options.last_stage == "auto" else options.last_stage,
        views=views,
        batch_size=options.batch_size or fitting_batch(len(source), recipe.plan["batch_size"] if gpu else 32),
    )
    settings = replace(settings, view_options=full_options(changes_of(settings)))
    return settle_training(settings, recipe.plan, len(source), epochs=EPOCHS)


def fitting_batch(videos: int, published: int) -> int:
    """The largest power of two that is at most the published batch and a quarter of the videos; 2 at least."""
    return 1 << (max(min(published, videos // 4), 2).bit_length() - 1)


def rates(store: VideoStore) -> list[float]:
    """Frames a second of the videos that have been looked at so far."""
    return [table.rate for table in store.tables.values() if table.rate > 0]


def remarks(store: VideoStore, sampling: Sampling, pretext: Pretext, fps: float | None) -> list[str]:
    """What a user should know of frame rates and lengths, from the videos that have been looked at."""
    found, said = rates(store), []
    if found and not fps and max(found) > 1.5 * min(found):
        said.append(
            f"Videos have from {min(found):.3g} to {max(found):.3g} frames/s, so a stride is of unlike length in time; "
            "--fps brings them to one rate."
        )
    lengths = [len(table) for table in store.tables.values()]
    short = float(np.mean([length < sampling.span for length in lengths])) if lengths else 0.0
    if short:
        said.append(
            f"{short:.0%} of the videos looked at have fewer than the {sampling.span} frames that a clip spans, and go "
            "round; a smaller --stride or --frames avoids that."
        )
    return [*said, *pretext.remarks(sampling, lengths)]
