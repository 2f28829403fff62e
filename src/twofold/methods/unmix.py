"""Un-Mix: Rethinking Image Mixtures for Unsupervised Representation Learning (Shen et al., AAAI 2022, 2003.05438)."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.mixing import blend, own_share, paste, region
from twofold.methods.record import Pass
from twofold.processes import mirror
from twofold.randomness import derive
from twofold.seam import Progress, Term


class Pair(NamedTuple):
    """Rows (B, D) that the base compares, and which of the two are of the mixtures."""

    student: Tensor
    teacher: Tensor
    mixed: Literal["student", "teacher"]

    def reversed(self) -> Pair:
        """The same with the mixtures in reverse order: the same images, so no further forward pass is needed."""
        if self.mixed == "student":
            return self._replace(student=mirror(self.student))
        return self._replace(teacher=mirror(self.teacher))


class UnMix(Addition):
    """An addition: each image is mixed with its mirror in the batch, and the mixture is like each of them by its share.

    Args:
        alpha: Parameter of Beta(alpha, alpha), from which the share of the own image is drawn, one a batch.
        global_share: Probability that whole images are blended; otherwise a region of the mirror is pasted in.
        partner: The view that mixtures are compared with: the "second", as in the paper, or the "first"; a symmetric
            MoCo takes both.
        mix_branch: Whether mixtures go through the teacher too, where a predictor compares both ways (BYOL): "both", or
            "online" alone (the authors did not publish which).
    """

    runs_network = True

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        global_share: float = 0.5,
        partner: Literal["second", "first"] = "second",
        mix_branch: Literal["both", "online"] = "both",
    ) -> None:
        super().__init__()
        above_zero(alpha=alpha)
        between_0_and_1(global_share=global_share)
        self.alpha, self.global_share, self.mix_branch = alpha, global_share, mix_branch
        self.partner = 1 if partner == "second" else 0

    def join(self, method: JointEmbedding) -> None:
        self.contrast, self.predicts = method.contrast, method.student.predictor is not None
        if self.mix_branch == "online" and not self.predicts:
            raise UserError(f"{type(method).__name__} has no predictor, so unmix has no mix_branch to choose.")
        if self.contrast == "queue" and len(method.directions) > 1 and self.partner == 0:
            raise UserError("A symmetric MoCo compares unmix's mixtures with both views: leave partner out.")

    def terms(self, record: Pass) -> dict[str, Term]:
        mixed, ratio = self.mix(record.shown[0], record.progress)
        pairs = self.pairs(record, mixed)
        own, turned = (
            record.combine([record.compare(pair.student, pair.teacher).mean() for pair in order])
            for order in (pairs, [pair.reversed() for pair in pairs])
        )
        return {"unmix": Term(ratio, own), "unmix_reversed": Term(1 - ratio, turned)}

    def mix(self, images: Tensor, progress: Progress) -> tuple[Tensor, float]:
        """The images (B, C, H, W) mixed with the reversed batch, and the share of its own that each image keeps."""
        draw = random.Random(derive(progress.seed, progress.step, "unmix"))
        blended, ratio = draw.random() < self.global_share, draw.betavariate(self.alpha, self.alpha)
        share_of_own = torch.tensor([ratio], dtype=torch.float64)
        if blended:
            return blend(images, mirror(images), share_of_own), ratio
        sides = images.shape[-2:]
        centre = [draw.randrange(side) for side in sides]
        box = region(sides, share_of_own, torch.tensor([centre]))
        return paste(images, mirror(images), box), own_share(box, sides).item()

    def pairs(self, record: Pass, mixed: Tensor) -> list[Pair]:
        """What the base compares when mixtures take the place of a view."""
        at = self.partner
        if self.contrast == "batch":
            # The base's single pass over both views: the partner and the mixtures share its batch statistics.
            partner, mixtures = record.look(torch.cat([record.shown[at], mixed])).row.chunk(2)
            return [Pair(mixtures, partner, "student")]
        mixtures = record.look(mixed).row
        if self.contrast == "queue" and at == 1:
            return [Pair(mixtures, record.teacher[j].row, "student") for _, j in record.directions]
        target = record.teacher[at] if at in record.teacher else record.teach(record.views.tensors[at])
        pairs = [Pair(mixtures, target.row, "student")]
        if self.predicts and self.mix_branch == "both":
            pairs.append(Pair(record.student[at].row, record.teach(mixed).row, "teacher"))
        return pairs
