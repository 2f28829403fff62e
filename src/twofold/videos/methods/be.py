"""BE: Removing the Background by Adding the Background (Wang et al., CVPR 2021, 2009.05769)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.methods.addition import Addition
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Pass
from twofold.randomness import derive, uniforms
from twofold.seam import Progress, Term, Views
from twofold.videos.views.static_frame import static_frame_mix


class BE(Addition):
    """One frame of a clip is laid over all of its frames, and what the network makes of the clip is not to change.

    Over a method that compares views the mixed clip is the query, and a clip of the same video at another time is a
    further negative. Over a pretext task the features of the clip and of the mixed clip are drawn together.

    Args:
        lambda_max: The static frame gets a share drawn evenly from 0 up to this.
        draw: Whether the share is drawn for each "batch", as in the official code, or for each "clip".
        other_time: Whether a clip of another time of the video is a negative; where None, as far as the base takes
            negatives.
        weight: Weight of the features' squared difference over a pretext task (beta; not published, so 1).
        level: What is compared over a pretext task: the pooled "feature" or the "map".
    """

    runs_network = True
    over_pretext = True

    def __init__(
        self,
        *,
        lambda_max: float = 0.3,
        draw: Literal["batch", "clip"] = "batch",
        other_time: bool | None = None,
        weight: float = 1.0,
        level: Literal["feature", "map"] = "feature",
    ) -> None:
        super().__init__()
        above_zero(lambda_max=lambda_max, weight=weight)
        between_0_and_1(lambda_max=lambda_max)
        self.lambda_max, self.draw, self.other_time = lambda_max, draw, other_time
        self.weight, self.level = weight, level

    def join(self, method: JointEmbedding) -> None:
        if self.other_time and not method.takes_negatives:
            raise UserError(f"{type(method).__name__} takes no further negatives: leave be's other_time out.")
        self.regularises = not method.directions
        self.queries = {student for student, _ in method.directions}
        self.extra_views = int(method.takes_negatives and self.other_time is not False)

    def show(self, shown: list[Tensor], views: Views, progress: Progress) -> list[Tensor]:
        if self.regularises:
            return shown
        return [self.mix(x, views.index, i, progress) if i in self.queries else x for i, x in enumerate(shown)]

    def negatives(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor) -> Tensor | None:
        if not self.extra_views:
            return None
        if "be_other_time" not in record.kept:
            record.kept["be_other_time"] = record.look(record.shown[self.first_extra_view]).row
        return F.normalize(record.kept["be_other_time"], dim=1)[:, None]

    def terms(self, record: Pass) -> dict[str, Term]:
        if not self.regularises:
            return {}
        mixed = record.look(self.mix(record.shown[0], record.views.index, 0, record.progress))
        own = record.student[0]
        pair = (own.feature, mixed.feature) if self.level == "feature" else (own.map, mixed.map)
        if pair[0] is None or pair[1] is None:
            raise UserError("The backbone has no map for be to compare: take --method.level feature.")
        return {"be": Term(self.weight, F.mse_loss(pair[0].float(), pair[1].float()))}

    def mix(self, clips: Tensor, index: Tensor, view: int, progress: Progress) -> Tensor:
        """Clips (B, C, T, H, W) with a share of one of their own frames in every frame.

        Shares and frames are functions of (seed, step, view), the frames and a share for each clip also of the video.
        """
        drawn = uniforms(index, 2, progress.seed, "be", progress.step, view)
        frame = (drawn[:, 0] * clips.shape[2]).long()
        share = drawn[:, 1] if self.draw == "clip" else drawn.new_full((len(clips),), self._of_batch(view, progress))
        return static_frame_mix(clips, frame, self.lambda_max * share)

    @staticmethod
    def _of_batch(view: int, progress: Progress) -> float:
        return derive(progress.seed, "be share", progress.step, view) / 2**63
