"""What a run trains, and what it reads of the videos: the same for `pretrain` and for what `check` foretells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch

from twofold.catalog.composition import Composition
from twofold.errors import UserError
from twofold.methods.build import build
from twofold.randomness import derive
from twofold.seam import Situation
from twofold.training.plan import Length
from twofold.videos.backbones import Backbone, build_backbone
from twofold.videos.jobs.model import short_side
from twofold.videos.jobs.views import augmentation_of, changes_of
from twofold.videos.options import Pretrain
from twofold.videos.reading.clips import Choose, drawn
from twofold.videos.reading.source import VideoSource
from twofold.videos.reading.store import VideoStore
from twofold.videos.views import ClipAugmentation
from twofold.videos.views.pretext import Pretext

BOXES = ("crop.area", "crop.ratio", "window.shares")  # what boxes are drawn by


@dataclass(frozen=True)
class Learner:
    """A method over a backbone, the settings that it was built with, and how its clips are cut."""

    backbone: Backbone
    method: Any
    settings: dict[str, Any]
    situation: Situation
    augmentation: ClipAugmentation
    pretext: Pretext

    @property
    def clip_count(self) -> int:
        """The clips that are read of a video."""
        return self.augmentation.clip_count(self.method.view_count)

    def reads(self, settings: Pretrain) -> Choose:
        """What is read of each video in each epoch."""
        sampling, choose = self.augmentation.sampling, self.pretext.choose
        return drawn(sampling, clips=self.clip_count, seed=settings.seed, fps=settings.fps, choose=choose)


def make_learner(
    composition: Composition, settings: Pretrain, length: Length, videos: int, processes: int = 1
) -> Learner:
    """The learner of a run by complete settings. Raises UserError where they do not suit the method."""
    torch.manual_seed(derive(settings.seed, "weights"))
    backbone = build_backbone(
        settings.backbone,
        clip_size=cast(int, settings.image_size),
        frames=cast(int, settings.frames),
        stem=settings.stem,
        last_stage=settings.last_stage,
        weights=settings.weights,
    )
    situation = Situation(videos, cast(int, settings.batch_size), processes, length.steps)
    recipe = composition.recipes[settings.recipe]
    method, chosen = build(composition, backbone, situation, recipe, settings.method_options or {})
    augmentation = augmentation_of(settings)
    pretext = method.pretext if isinstance(method.pretext, Pretext) else Pretext()
    if pretext.motion and settings.fps:
        raise UserError(f"{composition.name} follows motion from frame to frame: leave --fps out.")
    idle = [change.name for change in changes_of(settings) if change.name in BOXES]
    if idle and pretext.boxed >= method.view_count:
        raise UserError(f"--views.{idle[0]} changes nothing: {composition.name} draws the boxes of its views itself.")
    return Learner(backbone, method, chosen, situation, augmentation, pretext)


def store_for(source: VideoSource, settings: Pretrain, *, motion: bool) -> VideoStore:
    """The videos of a source as a run reads them."""
    memory = None if settings.memory_gb is None else int(settings.memory_gb * 1e9)
    return VideoStore(source, short_side(cast(int, settings.image_size)), memory, vectors=motion)
