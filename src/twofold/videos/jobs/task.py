"""What is measured on labelled videos, and the features that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial

import torch
from torch import Tensor

from twofold.pixels.sharding import about_vectors
from twofold.pixels.shared_features import Pair, digest, paired
from twofold.runs.screen import OnProgress
from twofold.videos.backbones import Backbone
from twofold.videos.embed import schema_for
from twofold.videos.evaluation.features import stream_features
from twofold.videos.evaluation.floors import frame_features, random_network
from twofold.videos.evaluation.splits import Split
from twofold.videos.jobs.model import Model
from twofold.videos.jobs.online import FRAMES, UNTRAINED
from twofold.videos.options import Evaluate


@dataclass(frozen=True)
class Task:
    """What is measured, on what: the model, the labelled videos to learn from and to test on, and how."""

    model: Model
    train: Split
    test: Split
    classes: int
    options: Evaluate
    on_progress: OnProgress

    @property
    def name(self) -> str:
        """How results call the model."""
        return self.model.method or self.model.name

    @cached_property
    def untrained(self) -> Backbone:
        """The same network with random weights."""
        model = self.model
        return random_network(model.backbone, self.train.clips, model.inputs, self.train.indices, self.options.seed)

    def extractions(self) -> dict[str, Pair]:
        """The features of each side, (n, clips, D), to learn from and to test on: the model, and its floors where these
        are wanted."""
        inputs, backbone, clips = self.model.inputs, self.model.backbone, self.train.clips

        @cache
        def weights() -> str:
            return about_vectors(schema_for(backbone, clips, inputs, each_clip=True), backbone)

        def start() -> str:  # calibrated on the videos to learn from
            about = about_vectors(schema_for(backbone, clips, inputs, each_clip=True), None)
            return digest(f"{about} {self.options.seed}", self.train.indices)

        found = {self.name: self._pair("model", weights, partial(self._of, lambda: backbone))}
        if self.options.floors:
            found[UNTRAINED] = self._pair("untrained", start, partial(self._of, lambda: self.untrained))
            found[FRAMES] = self._pair("frames", inputs.describe, self._of_frames)
        return found

    def _pair(self, name: str, about: Callable[[], str], rows: Callable[..., Tensor]) -> Pair:
        def whole(split: Split) -> str:
            return f"{about()} {split.clips.source.fingerprint()}"

        together = max(1, self.model.inputs.batch_size // self.model.inputs.clips)
        return paired(name, (self.train, self.test), lambda split: split.clips, whole, rows, together)

    def _of(self, network: Callable[[], Backbone], split: Split, indices: Tensor, on_progress: OnProgress) -> Tensor:
        found, done = [], 0
        for part, rows in stream_features(network(), split.clips, self.model.inputs, indices):
            found.append(rows)
            done += len(part)
            on_progress(done, len(indices))
        return torch.cat(found)

    def _of_frames(self, split: Split, indices: Tensor, on_progress: OnProgress) -> Tensor:
        return frame_features(split.clips, self.model.inputs, indices)[:, None]
