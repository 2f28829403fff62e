"""Rotation of clips: a pretext task, and a base of BE (Gidaris et al., ICLR 2018, 1803.07728; for clips Jing et al.,
2018, 1811.11387)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Pass
from twofold.nets.features import width_of
from twofold.randomness import uniforms
from twofold.seam import Progress, Views
from twofold.videos.views.turning import TURNS, turn


class Rotation(JointEmbedding):
    """All frames of a clip are turned by 0, 90, 180 or 270 degrees, and a linear layer over the backbone's feature says
    by which."""

    directions = ()
    compared_views = 1

    def __init__(self, backbone: nn.Module, *, additions: Sequence[Addition] = ()) -> None:
        super().__init__(Branch(backbone, nn.Identity()), additions)
        self.dim = width_of(backbone)
        self.classifier = nn.Linear(self.dim, TURNS)
        self.join_additions()

    def seen_by_student(self) -> list[int]:
        return [0]

    def observe(self, views: Views, progress: Progress) -> Pass:
        turned = turn(views.tensors[0], self.turns(views.index, progress))
        return super().observe(replace(views, tensors=[turned, *views.tensors[1:]]), progress)

    @staticmethod
    def turns(index: Tensor, progress: Progress) -> Tensor:
        """int64 (B,): quarter turns 0 to 3, a function of (seed, step, video)."""
        return (uniforms(index, 1, progress.seed, "rotation", progress.step)[:, 0] * TURNS).long()

    def base_loss(self, record: Pass) -> Tensor:
        answers = self.classifier(record.student[0].row)
        truth = self.turns(record.views.index, record.progress)
        record.kept["rotation_right"] = (answers.argmax(1) == truth).float().mean()
        record.kept["rotation_majority"] = torch.bincount(truth, minlength=TURNS).max() / len(truth)
        return F.cross_entropy(answers, truth)

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """rotation_accuracy: share of turns that are recognised; rotation_majority: that of the most frequent turn."""
        return {
            "rotation_accuracy": record.kept["rotation_right"],
            "rotation_majority": record.kept["rotation_majority"],
        }

    def collapse_causes(self) -> list[str]:
        return ["the learning rate is too high", *super().collapse_causes()[1:]]
