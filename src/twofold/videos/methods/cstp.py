"""CSTP: Contrastive Spatio-Temporal Pretext Learning (Zhang et al., AAAI 2022, 2112.08913)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass, precise
from twofold.nets.features import width_of
from twofold.nets.heads import mlp
from twofold.processes import total
from twofold.seam import Progress, Situation, Term
from twofold.videos.views.overlap import PACES, RATES, Overlap, Overlaps
from twofold.videos.views.turning import TURNS

CLASSES = {"space": len(RATES), "time": len(RATES), "pace": len(PACES), "turn": TURNS}


class CSTP(Addition):
    """Two clips of a video are compared, and heads over both tell how far they overlap in space and in time (STOR), and
    of each clip at which pace it was taken and how it was turned.

    Args:
        contrast: Weight of the base's own comparison.
        space: Weight of the overlap in space; 0 leaves the task out.
        time: Weight of the overlap in time.
        pace: Weight of the playback rate.
        turn: Weight of the rotation; without it clips are still turned.
        stor_sampling: Whether the overlap is drawn anew with each try at placing boxes and clips ("official": large
            overlaps are frequent), or first ("balanced").
        rotate: Whether clips are turned "before_crop", as in the official code, where a mirror behind it makes a
            quarter to the left one to the right and boxes of unlike turns do not overlap as told, or "after_crop".
    """

    student_views = (0, 1)

    def __init__(
        self,
        *,
        contrast: float = 0.1,
        space: float = 1.0,
        time: float = 1.0,
        pace: float = 1.0,
        turn: float = 1.0,
        stor_sampling: Literal["official", "balanced"] = "official",
        rotate: Literal["before_crop", "after_crop"] = "before_crop",
    ) -> None:
        super().__init__()
        self.weights = {"space": space, "time": time, "pace": pace, "turn": turn}
        if min(contrast, *self.weights.values()) < 0:
            raise UserError("cstp's weights are at least 0.")
        self.contrast, self.pretext = contrast, Overlaps(stor_sampling, rotate)
        self.about = f"cstp: overlaps of {stor_sampling} sampling, clips turned {rotate.replace('_', ' the ')}."

    def join(self, method: JointEmbedding) -> None:
        width = width_of(method.backbone)
        asked = {task: count for task, count in CLASSES.items() if self.weights[task]}
        inputs = {task: 2 * width if task in ("space", "time") else width for task in asked}
        self.heads = nn.ModuleDict({task: mlp([inputs[task], inputs[task], asked[task]]) for task in asked})
        # How often each answer was right so far: what always giving the most frequent one would reach.
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros(len(CLASSES), max(CLASSES.values()), dtype=torch.int64))

    def base_scale(self, progress: Progress) -> float:
        return self.contrast

    def notes(self, method: JointEmbedding, situation: Situation) -> list[str]:
        return [self.about]

    def terms(self, record: Pass) -> dict[str, Term]:
        truth = self.truth(record)
        with record.networks():
            answers = self.answers(record)
        record.kept |= {f"cstp_{task}_answers": answers[task] for task in answers}
        record.kept["cstp_seen"] = self.counted(truth)
        return {
            f"cstp_{task}": Term(self.weights[task], self.loss(precise(answers[task]), truth[task])) for task in answers
        }

    def answers(self, record: Pass) -> dict[str, Tensor]:
        """The logits of each task: (1, B, classes) over both clips, or (2, B, classes) of each."""
        features = torch.stack([record.student[view].feature for view in self.student_views])
        inputs = {"space": features.transpose(0, 1).flatten(1)[None], "pace": features}
        inputs |= {"time": inputs["space"], "turn": features}
        return {
            task: cast(Tensor, head(inputs[task].flatten(0, 1))).unflatten(0, inputs[task].shape[:2])
            for task, head in self.heads.items()
        }

    @staticmethod
    def truth(record: Pass) -> dict[str, Tensor]:
        """The right answers, shaped as the logits without classes."""
        drawn = cast(Overlap, record.views.task)
        if not isinstance(drawn, Overlap):
            raise UserError("cstp needs pairs of clips that say how they overlap, and these views do not.")
        pace = drawn.pace.expand(2, -1)
        return {"space": drawn.space[None], "time": drawn.time[None], "pace": pace, "turn": drawn.turns.T}

    @staticmethod
    def loss(answers: Tensor, truth: Tensor) -> Tensor:
        """The cross-entropy of each clip or pair, averaged over the batch and summed over the clips of a pair."""
        return torch.stack([F.cross_entropy(own, right) for own, right in zip(answers, truth, strict=True)]).sum()

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """cstp_TASK_accuracy: share of right answers. cstp_TASK_majority: what the most frequent answer so far would
        reach. cstp_short: share of videos too short for another overlap in time than the full one."""
        truth = self.truth(record)
        seen = record.kept["cstp_seen"]
        majority = dict(zip(CLASSES, (seen.max(1).values / seen.sum(1)).unbind(), strict=True))
        numbers = {"cstp_short": cast(Overlap, record.views.task).short.float().mean()}
        for task in self.heads:
            right = record.kept[f"cstp_{task}_answers"].argmax(2) == truth[task]
            numbers |= {f"cstp_{task}_accuracy": right.float().mean(), f"cstp_{task}_majority": majority[task]}
        return numbers

    def examples(self, record: Pass) -> dict[str, Tensor]:
        """cstp_TASK: int64 (B, clips, 2), the right answer and the one given."""
        truth = self.truth(record)
        found = {task: record.kept[f"cstp_{task}_answers"].argmax(2) for task in self.heads}
        return {f"cstp_{task}": torch.stack([truth[task], told], 2).transpose(0, 1) for task, told in found.items()}

    def counted(self, truth: Mapping[str, Tensor]) -> Tensor:
        """How often each answer of each task was right so far, with those of this step, in all processes."""
        classes = self.seen.shape[1]
        now = torch.stack([torch.bincount(truth[task].flatten(), minlength=classes) for task in CLASSES])
        return self.seen + total(now)

    def finish(self, record: Pass) -> None:
        self.seen = record.kept["cstp_seen"]
