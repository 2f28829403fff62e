"""A pretext task beside the labels of fine-tuning: CMD's prediction of motion (Huang et al., CVPR 2021, section 4)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.printable import say
from twofold.seam import Progress, Views
from twofold.videos.evaluation.features import InputSettings
from twofold.videos.evaluation.splits import Split
from twofold.videos.methods.cmd import CMD
from twofold.videos.rule import Sampling
from twofold.videos.systems import SYSTEMS
from twofold.videos.views.context import ContextAndMotion


class ForetoldMotion(nn.Module):
    """CMD's motion task over a network; see `evaluation.finetune.OnlyLabels`."""

    view_count = 2

    def __init__(self, network: nn.Module, inputs: InputSettings) -> None:
        super().__init__()
        self.method = CMD(network, context=0.0, **settings_for(inputs))

    @property
    def pretext(self) -> ContextAndMotion:
        """What is drawn with the clips."""
        return cast(ContextAndMotion, self.method.pretext)

    def forward(self, views: Views, progress: Progress) -> tuple[Tensor, Tensor]:
        """Pooled features (B, C) of the clips, and the loss."""
        record = self.method.observe(views, progress)
        return record.student[0].feature, self.method.judge(record).total


def settings_for(inputs: InputSettings) -> dict[str, Any]:
    """CMD's settings for clips of this size."""
    name = "small" if inputs.size < 112 else "short" if inputs.frames < 16 else "ucf101"
    return dict(SYSTEMS["cmd"].recipes[name].method)


def long_enough(split: Split, inputs: InputSettings, quiet: bool) -> Split:
    """The videos of a split that have enough frames for a clip with the motion behind it; the others are counted."""
    pretext = ContextAndMotion(future=settings_for(inputs).get("future", ContextAndMotion.future))
    window, store = pretext.window(Sampling(inputs.frames, inputs.stride)), split.clips.store
    store.hold_motion()
    readable = split.take(split.readable())
    fits = torch.tensor([len(store.table(i)) >= window for i in readable.indices.tolist()])
    if not fits.any():
        raise UserError(f"No video has the {window} frames of a clip with its motion: give fewer --frames or --stride.")
    if not quiet and not fits.all():
        short = int((~fits).sum())
        say(f"{short:,} videos have fewer than {window} frames, and fine-tuning with motion leaves them out.")
    return readable.take(fits)
