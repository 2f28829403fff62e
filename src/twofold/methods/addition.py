"""What may be laid over a joint-embedding method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from twofold.methods.record import Pass
from twofold.seam import Part, Progress, Situation, Term, Views

if TYPE_CHECKING:
    from twofold.methods.joint_embedding import JointEmbedding


class Addition(nn.Module, Part):
    """Something laid over a base method; a subclass says only what it adds. Additions do not know each other.

    extra_views: how many views it asks for beyond those that are compared; they start at `first_extra_view`.
    runs_network: whether its terms call `record.look` or `record.teach` (a batch cannot be accumulated in parts then).
    over_pretext: whether it makes sense over a task that compares no views. student_views: views that the student is to
    look at, whichever the base compares. pretext: as in `Method`. weight: of its term, where it has one; too high a
    weight is named among the causes of a collapse.
    """

    runs_network = False
    over_pretext = False
    extra_views = 0
    first_extra_view = 0
    student_views: Sequence[int] = ()
    pretext: object | None = None
    weight = 0.0

    def join(self, method: JointEmbedding) -> None:
        """See the method once, at construction; refuse a base that makes no sense with a UserError that says why."""

    def show(self, shown: list[Tensor], views: Views, progress: Progress) -> list[Tensor]:
        """Change what the student sees: V tensors in, V tensors out. views: as they were made."""
        return shown

    def negatives(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor) -> Tensor | None:
        """Further negatives of each row, (B, S, D) unit, or None."""
        return None

    def terms(self, record: Pass) -> dict[str, Term]:
        """Named, weighted terms computed from the record."""
        return {}

    def base_scale(self, progress: Progress) -> float:
        """What the base's own term is multiplied with."""
        return 1.0

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Numbers for the log, without gradient."""
        return {}

    def examples(self, record: Pass) -> dict[str, Tensor]:
        """What was asked and answered of each thing, (B, ...), for the report of a task; by name."""
        return {}

    def finish(self, record: Pass) -> None:
        """Act on the finished step, after the base's own `finish`: fill a queue, take a snapshot."""

    def notes(self, method: JointEmbedding, situation: Situation) -> list[str]:
        """What a user should know before this run starts, a sentence each."""
        return []

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        """What is wrong with the numbers just logged, a sentence each; the run says each once."""
        return []
