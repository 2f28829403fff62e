"""CMD: Self-supervised Video Representation Learning by Context and Motion Decoupling (Huang et al., CVPR 2021,
2104.00862)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Branch, Look, Pass, precise
from twofold.nets.features import cells_of
from twofold.nets.heads import mlp
from twofold.nets.transformer import Transformer
from twofold.objectives.contrastive import pick
from twofold.processes import gather, rank
from twofold.seam import Situation, Term, Views
from twofold.videos.backbones.encoders import MotionEncoder, PictureEncoder
from twofold.videos.backbones.fused import fused_features, fused_shape
from twofold.videos.motion.maps import CLAMP
from twofold.videos.views.context import ContextAndMotion, Motion

# Channels. On CPUs oneDNN's gradient of a convolution of single pixels with stride 2 writes past its memory where fewer
# come in, in channels_last (torch 2.14.1, AVX2).
LEAST = 8
MANY_FAR = 0.25  # share of clips without a keyframe near them, from which on it is said


class CMD(JointEmbedding):
    """A clip picks the keyframe near it among those of all clips (context), and from its map a transformer predicts at
    each position the motion just behind it, among all positions of all clips and of other times (motion).

    Args:
        context: Weight of the context; 0 leaves the task out.
        motion: Weight of the motion; 0 leaves the task out.
        temperature: Of both softmaxes.
        dim: Width of the transformer and of what is compared.
        heads: Of its attention.
        encoder: Its layers over the clip's map.
        decoder: Its layers over the positions asked for.
        dropout: In its layers.
        hidden: Width inside the four projection heads.
        width: Channels of the first stage of the networks of motion and of keyframes, 8 at least; the last has eight
            times as many.
        future: Frames of motion that are predicted.
        gap: Frames between the clip and these.
        others: Other times of the video whose motion is to be told apart.
        mv_flip: Whether the sideways part of mirrored vectors is "negated", or left as it is ("official").
        mv_scale: Whether vectors grow as the crop is enlarged (official: no).
        mv_round: Whether vectors keep their "fractions" of pixels, or are cut to whole ones ("official").
    """

    contrast = "batch"
    directions = ()
    compared_views = 2

    def __init__(
        self,
        backbone: nn.Module,
        *,
        context: float = 1.0,
        motion: float = 1.0,
        temperature: float = 0.1,
        dim: int = 512,
        heads: int = 8,
        encoder: int = 2,
        decoder: int = 4,
        dropout: float = 0.1,
        hidden: int = 2048,
        width: int = 64,
        future: int = 8,
        gap: int = 2,
        others: int = 3,
        mv_flip: Literal["negated", "official"] = "negated",
        mv_scale: bool = False,
        mv_round: Literal["fractions", "official"] = "fractions",
        additions: Sequence[Addition] = (),
    ) -> None:
        above_zero(temperature=temperature, dim=dim, heads=heads, decoder=decoder, hidden=hidden, width=width)
        above_zero(future=future)
        between_0_and_1(dropout=dropout)
        if min(context, motion, encoder, gap, others) < 0 or not context + motion:
            raise UserError(
                "cmd's context, motion, encoder, gap and others are at least 0, and not both weights are 0."
            )
        if dim % heads:
            raise UserError(f"cmd's dim ({dim}) must be a multiple of its heads ({heads}).")
        if width < LEAST:
            raise UserError(
                f"cmd's width ({width}) must be at least {LEAST}: fewer channels spoil memory on some processors."
            )
        super().__init__(FusedBranch(backbone), additions)
        self.weights, self.temperature, self.dim = {"context": context, "motion": motion}, temperature, dim
        self.pretext = ContextAndMotion(future, gap, others, mv_flip, mv_scale, mv_round == "official")
        channels, frames, *cells = fused_shape(backbone)
        self.cells = (cells[0], cells[1])
        if context:
            self.picture_network = PictureEncoder(width)
            self.clip_head = projection(channels, hidden, dim)
            self.picture_head = projection(8 * width, hidden, dim)
        if motion:
            positions = self.cells[0] * self.cells[1]
            self.motion_network = MotionEncoder(width)
            self.tokens = nn.Linear(channels, dim, bias=False)
            self.places = nn.Parameter(torch.rand(frames * positions, dim))
            self.queries = nn.Parameter(torch.rand(positions, dim))
            self.transformer = Transformer(dim, heads, dim, encoder, decoder, dropout)
            self.predicted_head = projection(dim, hidden, dim)
            self.motion_head = projection(8 * width, hidden, dim)
        self.join_additions()

    def seen_by_student(self) -> list[int]:
        return [0]

    def base_terms(self, record: Pass, scale: float) -> dict[str, Term]:
        losses = {"context": self.context_loss, "motion": self.motion_loss}
        return {
            f"base_{task}": Term(scale * weight, losses[task](record))
            for task, weight in self.weights.items()
            if weight
        }

    def context_loss(self, record: Pass) -> Tensor:
        """Each clip among the keyframes of the global batch: cross-entropy over cosines."""
        with record.networks():
            clips = self.clip_head(cast(Tensor, record.student[0].map).mean((2, 3, 4)))
            keys = self.picture_head(self.picture_network(record.shown[1][:, :, 0]))
        return self.picked(record, "context", clips, keys)

    def motion_loss(self, record: Pass) -> Tensor:
        """Each position of each clip among all positions of all motion of the global batch: right is the same position
        of what follows the clip."""
        with record.networks():
            predictions = self.predicted_head(self.predict(cast(Tensor, record.student[0].map)).flatten(0, 1))
            keys = self.motion_keys(motion_of(record.views).maps.to(record.shown[0].dtype))
        return self.picked(record, "motion", predictions, keys)

    def predict(self, map: Tensor) -> Tensor:
        """What the motion behind a clip will be like at each position: (B, C, T, h, w) -> (B, h w, dim)."""
        tokens = self.tokens(cells_of(map))
        batch = len(tokens)
        return self.transformer(tokens, self.places.expand(batch, -1, -1), self.queries.expand(batch, -1, -1))

    def motion_keys(self, maps: Tensor) -> Tensor:
        """Rows of all positions of motion (B, 1 + N, 2, T, S, S), what follows clips first: ((1 + N) B h w, dim)."""
        found = self.motion_network(maps.transpose(0, 1).flatten(0, 1))
        pooled = F.adaptive_avg_pool3d(found, (1, *self.cells))
        return self.motion_head(cells_of(pooled).flatten(0, 1))

    def picked(self, record: Pass, task: str, rows: Tensor, keys: Tensor) -> Tensor:
        """The mean loss of rows of which row i is to pick key i of its own process, among those of all processes."""
        everyone = gather(precise(keys))
        first = rank() * len(keys)
        losses, nearest = pick(precise(rows), everyone, first, self.temperature)
        right = nearest - first == torch.arange(len(rows), device=rows.device)
        record.kept |= {f"cmd_{task}": right.float().mean(), f"cmd_{task}_chance": losses.new_tensor(1 / len(everyone))}
        record.kept[f"cmd_{task}_nearest"] = nearest - first
        return losses.mean()

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """cmd_TASK_accuracy: share of rows that pick their own key. cmd_TASK_chance: one of all keys. cmd_still: share
        of the positions that are to be predicted in which nothing moves. cmd_far: share of keyframes farther than five
        frames from their clip."""
        drawn = motion_of(record.views)
        moving = F.adaptive_max_pool3d(drawn.maps[:, 0].abs(), (1, *self.cells)).amax(1)
        numbers = {"cmd_still": (moving == 0).float().mean(), "cmd_far": drawn.far.float().mean()}
        for task in (task for task, weight in self.weights.items() if weight):
            numbers |= {f"cmd_{task}_accuracy": record.kept[f"cmd_{task}"]}
            numbers |= {f"cmd_{task}_chance": record.kept[f"cmd_{task}_chance"]}
        return numbers

    def own_examples(self, record: Pass) -> dict[str, Tensor]:
        """cmd_true: the motion behind each clip, (B, 2, h, w) pixels; cmd_told: that of the positions picked."""
        if not self.weights["motion"]:
            return {}
        maps = motion_of(record.views).maps.transpose(0, 1)
        fields = F.adaptive_avg_pool3d(maps.flatten(0, 1), (1, *self.cells))[:, :, 0] * CLAMP
        batch, rows = len(record.views.index), fields.permute(0, 2, 3, 1).flatten(0, 2)
        told = rows[record.kept["cmd_motion_nearest"]].view(batch, *self.cells, 2).permute(0, 3, 1, 2)
        return {"cmd_true": fields[:batch], "cmd_told": told}

    def notes(self, situation: Situation) -> list[str]:
        vectors = cast(ContextAndMotion, self.pretext)
        note = f"cmd: {vectors.future} frames of motion from {vectors.gap + 1} frames behind the clip on, over "
        note += f"{self.cells[0]} x {self.cells[1]} positions; mirrored vectors {vectors.flipped}, "
        note += f"{'scaled' if vectors.scaled else 'not scaled'} with the crop."
        return [note, *super().notes(situation)]

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("cmd_far", 0.0) <= MANY_FAR:
            return super().alarms(row)
        far = (
            "cmd takes the nearest keyframe, and many lie farther than five frames from their clip: twofold prepare "
            "--motion --transcode always sets one every 12 frames."
        )
        return [far, *super().alarms(row)]


class FusedBranch(Branch):
    """A backbone whose map is that of its last two stages together."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone, nn.Identity())

    def forward(self, view: Tensor) -> Look:
        features = fused_features(self.backbone, view)
        return Look(features.map, features.pooled, self.projector(features.pooled))


def projection(before: int, hidden: int, after: int) -> nn.Sequential:
    """1x1 convolution, batch norm, ReLU, 1x1 convolution, batch norm, over rows."""
    return mlp([before, hidden, after], last_bias=False, last_norm="affine")


def motion_of(views: Views) -> Motion:
    """What was drawn with the views; UserError where they have no motion."""
    if not isinstance(views.task, Motion):
        raise UserError("cmd needs clips with the motion behind them, and these views have none.")
    return views.task
