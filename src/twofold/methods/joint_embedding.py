"""Joint embedding: the shape that most systems share.

A joint-embedding method is a student, a teacher and a comparison. One step makes a record, the `Pass`; the base's loss
and the terms of every addition are functions of that record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.record import Branch, Look, Pass
from twofold.nets.twin import follow, twin_of
from twofold.seam import Losses, Method, Progress, Situation, Term, Views


class JointEmbedding(Method):
    """A student, a teacher and a comparison. The bases differ in four choices, made in the methods below.

    teacher_kind: the teacher is the "student" itself, the student "detached" (its gradient stopped), or a "twin" that
    follows the student as an exponential moving average. contrast: where the negatives come from: none, the student's
    views of the batch, the teacher's keys of the batch, or a queue. directions: pairs (student view, teacher view) that
    are compared; none in a pretext task, which only additions that say so (`Addition.over_pretext`) are laid over. dim:
    width of the rows that are compared. temperature: of the softmax over cosines, where the base has one; additions
    take it over. takes_negatives: whether `compare` takes further negatives of each row. mask_unfilled: whether slots
    of a queue count only once they hold keys.
    """

    teacher_kind: Literal["student", "detached", "twin"] = "student"
    contrast: Literal["none", "batch", "keys", "queue"] = "none"
    directions: Sequence[tuple[int, int]] = ((0, 1), (1, 0))
    temperature: float = 0.2
    takes_negatives = False
    mask_unfilled = False
    teacher: nn.Module
    dim: int

    def __init__(self, student: Branch, additions: Sequence[Addition] = ()) -> None:
        super().__init__()
        self.student = student
        self.additions = cast("Sequence[Addition]", nn.ModuleList(additions))
        self.pairs: list[tuple[nn.Module, nn.Module]] = []
        self.record: Pass | None = None

    def join_additions(self) -> None:
        """Let each addition see the finished method; the last line of a base's constructor."""
        count = self.compared_views
        for addition in self.additions:
            if not self.directions and not addition.over_pretext:
                base = type(self).__name__
                raise UserError(f"{base} compares no views, which this addition is about: lay it over moco.")
            addition.join(self)
            addition.first_extra_view = count
            count += addition.extra_views
        self.view_count = count
        asked = [part.pretext for part in (self, *self.additions) if part.pretext is not None]
        if len(asked) > 1:
            raise UserError("Two tasks cannot both say how clips are drawn: leave one of them out.")
        self.pretext = asked[0] if asked else None

    @property
    def backbone(self) -> nn.Module:  # type: ignore[override]
        """What the run is for: the student's backbone."""
        return self.student.backbone

    @property
    def momentum_teacher(self) -> bool:
        """Whether the teacher is an EMA twin."""
        return self.teacher_kind == "twin"

    @property
    def compared_views(self) -> int:
        """Views that the base compares."""
        return 1 + max(max(pair) for pair in self.directions)

    def seen_by_student(self) -> list[int]:
        """The views that the student looks at: its own, and the teacher's too where that is the student."""
        ends = 1 if self.momentum_teacher else 2
        return sorted({view for pair in self.directions for view in pair[:ends]})

    def twin(self, module: nn.Module) -> nn.Module:
        """The teacher's counterpart of a student module: an EMA copy that moves with the teacher, or itself."""
        if not self.momentum_teacher:
            return module
        copied = twin_of(module)
        self.pairs.append((copied, module))
        return copied

    def follow_where(self, lacking: Callable[[str], bool]) -> None:
        """Give those tensors of every twin, by their names in the method, the values of the student's."""
        names = {id(module): name for name, module in self.named_modules()}
        for copied, original in self.pairs:
            followed = original.state_dict()
            for key, value in copied.state_dict().items():
                if lacking(f"{names[id(copied)]}.{key}"):
                    value.copy_(followed[key])

    def look(self, view: Tensor) -> Look:
        """The student's look at one view."""
        return self.student(view)

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        """The student's looks at some views, one pass each."""
        return {i: self.look(shown[i]) for i in wanted}

    def teach(self, view: Tensor, progress: Progress) -> Look:
        """The teacher's look at one view, in a pass of its own."""
        if self.teacher_kind == "student":
            return self.look(view)
        with torch.no_grad():
            return self.teacher(view) if self.momentum_teacher else self.look(view).as_target()

    def teach_at(self, tensors: Sequence[Tensor], wanted: Sequence[int], progress: Progress) -> dict[int, Look]:
        """An EMA teacher's looks at some views, one pass each."""
        return {j: self.teach(tensors[j], progress) for j in wanted}

    def stored_negatives(self) -> Tensor | None:
        """Negatives that outlive a step, (K, D), as they are before this one."""
        return None

    def usable_negatives(self) -> Tensor | None:
        """Those of the stored negatives that count in this step."""
        return self.stored_negatives()

    def compare(self, record: Pass, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """The base's loss of each row, (B, D), (B, D) -> (B,), with the further negatives (B, S, D) in it."""
        raise NotImplementedError

    def combine(self, losses: list[Tensor]) -> Tensor:
        """The base's term from the mean losses of its directions."""
        return torch.stack(losses).sum()

    def base_loss(self, record: Pass) -> Tensor:
        """The base's term: its directions compared row by row, averaged over the batch and combined."""
        pairs = [(record.student[i].row, record.teacher[j].row) for i, j in record.directions]
        return self.combine([record.compare(rows, targets).mean() for rows, targets in pairs])

    def base_terms(self, record: Pass, scale: float) -> dict[str, Term]:
        """The base's terms, each multiplied with `scale`; one but for tasks that have several, base_NAME each."""
        return {"base": Term(scale, self.base_loss(record))}

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Numbers for the log, without gradient, once the base's term is made."""
        return {}

    def own_examples(self, record: Pass) -> dict[str, Tensor]:
        """As `Addition.examples`, of the base."""
        return {}

    @torch.no_grad()
    def examples(self, views: Views, progress: Progress) -> dict[str, Tensor]:
        """What base and additions ask and answer of these views, (B, ...) each, by name."""
        record = self.observe(views, progress)
        self.judge(record)
        self.record = None
        found = self.own_examples(record)
        for addition in self.additions:
            found |= addition.examples(record)
        return found

    def finish(self, record: Pass) -> None:
        """Act on the finished step, after the optimizer's: move the teacher, fill a queue."""

    def observe(self, views: Views, progress: Progress) -> Pass:
        """Run student and teacher: everything of a step that needs the networks."""
        shown, networks = views.tensors, _networks(views.tensors[0].device.type)
        for addition in self.additions:
            shown = addition.show(shown, views, progress)
        asked = {view for addition in self.additions for view in addition.student_views}
        student = self.look_at(shown, sorted(asked.union(self.seen_by_student())))
        return Pass(
            views,
            shown,
            student,
            self._taught(views.tensors, student, progress),
            self.usable_negatives(),
            self.directions,
            progress,
            look=_within(networks, self.look),
            teach=_within(networks, lambda view: self.teach(view, progress)),
            networks=networks,
            combine=self.combine,
            loss=self._loss,
        )

    def judge(self, record: Pass) -> Losses:
        """The losses of a record, in float32 at least; only additions run networks here, where they must."""
        self.record = record
        with torch.autocast(record.views.tensors[0].device.type, enabled=False):
            scale = math.prod(addition.base_scale(record.progress) for addition in self.additions)
            terms, scalars = self.base_terms(record, scale), self.scalars(record)
            for addition in self.additions:
                terms |= addition.terms(record)
                scalars |= addition.scalars(record)
            rows = torch.cat([look.projection for look in record.student.values()])
            return Losses(terms, rows.detach(), scalars)

    def forward(self, views: Views, progress: Progress) -> Losses:
        """Named terms of one step."""
        return self.judge(self.observe(views, progress))

    def after_step(self, progress: Progress) -> None:
        """Let the base, then each addition, act on the finished step, and let go of its record."""
        record, self.record = self.record, None
        if record is None:
            return
        self.finish(record)
        for addition in self.additions:
            addition.finish(record)

    def move_teacher(self, momentum: float) -> None:
        """One EMA step of the teacher and of every twin that additions brought."""
        for copied, original in self.pairs:
            follow(copied, original, momentum)

    def compiled_networks(self) -> Sequence[nn.Module]:
        """Every branch: the student, and the teacher where it is a twin."""
        return [module for module in self.modules() if isinstance(module, Branch)]

    def check(self, situation: Situation) -> None:
        """Let each addition refuse the data or the batch; a base that overrides this calls it."""
        for addition in self.additions:
            addition.check(situation)

    def notes(self, situation: Situation) -> list[str]:
        """The notes of the additions; a base that overrides this adds them to its own."""
        return [note for addition in self.additions for note in addition.notes(self, situation)]

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        """The alarms of the additions; a base that overrides this adds them to its own."""
        return [alarm for addition in self.additions for alarm in addition.alarms(row)]

    def collapse_causes(self) -> list[str]:
        """What keeps rows apart in this base, and the weights of the additions."""
        if self.contrast == "none":
            own = "the predictor or the stopped gradient is missing or changed"
        else:
            own = "the temperature is too high or there are too few negatives"
        weighted = [addition for addition in self.additions if addition.weight]
        return [own, *(f"the weight of {type(a).__name__} ({a.weight:g}) is too high" for a in weighted)]

    def _taught(self, tensors: Sequence[Tensor], student: dict[int, Look], progress: Progress) -> dict[int, Look]:
        wanted = sorted({j for _, j in self.directions})
        if self.momentum_teacher:
            return self.teach_at(tensors, wanted, progress)
        return student if self.teacher_kind == "student" else {j: student[j].as_target() for j in wanted}

    def _loss(self, record: Pass, rows: Tensor, targets: Tensor) -> Tensor:
        found = [addition.negatives(record, rows, targets) for addition in self.additions]
        present = [negatives for negatives in found if negatives is not None]
        return self.compare(record, rows, targets, torch.cat(present, dim=1) if present else None)


def _networks(kind: str) -> Callable[[], AbstractContextManager[Any]]:
    """The precision in which networks compute at this moment on a device of this kind, as a context."""
    enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
    return lambda: torch.autocast(kind, dtype, enabled=enabled)


def _within(
    context: Callable[[], AbstractContextManager[Any]], work: Callable[[Tensor], Look]
) -> Callable[[Tensor], Look]:
    def again(view: Tensor) -> Look:
        with context():
            return work(view)

    return again
