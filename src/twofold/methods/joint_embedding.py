"""Joint embedding: the shape that most systems share, and what may be laid over it.

A joint-embedding method is a student, a teacher and a comparison. One step makes a record, the `Pass`; the base's loss
and the terms of every addition are functions of that record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from twofold.nets.features import Features
from twofold.nets.twin import follow, twin_of
from twofold.seam import Losses, Method, Part, Progress, Situation, Term, Views


@dataclass
class Look:
    """What a branch makes of one view: map (B, C, h, w) or None, feature (B, C), projection and prediction (B, D)."""

    map: Tensor | None
    feature: Tensor
    projection: Tensor
    prediction: Tensor | None = None

    @property
    def row(self) -> Tensor:
        """What is compared: the prediction where there is a predictor, else the projection; float32 at least."""
        row = self.projection if self.prediction is None else self.prediction
        return row if row.dtype == torch.float64 else row.float()

    def each(self, change: Callable[[Tensor], Tensor]) -> Look:
        """The same look with every tensor changed."""
        changed = [None if t is None else change(t) for t in (self.map, self.feature, self.projection, self.prediction)]
        return Look(*changed)  # type: ignore[arg-type]


def width_of(backbone: nn.Module) -> int:
    """The number of channels of a backbone's pooled feature."""
    return int(cast(Any, backbone).width)


class Branch(nn.Module):
    """Backbone, projector and, for students that predict their teacher, a predictor."""

    def __init__(self, backbone: nn.Module, projector: nn.Module, predictor: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.projector, self.predictor = backbone, projector, predictor

    def forward(self, images: Tensor) -> Look:
        features: Features = self.backbone(images)
        projection = self.projector(features.pooled)
        prediction = None if self.predictor is None else self.predictor(projection)
        return Look(features.map, features.pooled, projection, prediction)


@dataclass
class Pass:
    """The record of one step.

    views: as made, with their geometry. shown: the tensors that the student saw. student, teacher: a look per view, for
    the views that this branch saw. negatives: (K, D) unit rows as they were before this step, or None where the rest of
    the batch serves. directions: pairs (student view, teacher view) that the base compares. compare: (student rows,
    teacher rows) -> (B,), the base's own loss with all negatives in it. combine: the losses of several directions as
    one, by the base's rule (sum or mean). look, teach: run student or teacher again. networks: the context in which
    other networks must run (losses are made outside autocast; networks are not).
    """

    views: Views
    shown: list[Tensor]
    student: dict[int, Look]
    teacher: dict[int, Look]
    negatives: Tensor | None
    directions: Sequence[tuple[int, int]]
    progress: Progress
    look: Callable[[Tensor], Look]
    teach: Callable[[Tensor], Look]
    networks: Callable[[], AbstractContextManager[Any]] = nullcontext
    combine: Callable[[list[Tensor]], Tensor] = lambda losses: torch.stack(losses).sum()
    compare: Callable[[Tensor, Tensor], Tensor] = lambda rows, targets: rows.new_zeros(len(rows))


class Addition(nn.Module, Part):
    """Something laid over a base method; a subclass says only what it adds. Additions do not know each other.

    extra_views: how many views it asks for beyond those that are compared; they start at `first_extra_view`.
    runs_network: whether its terms call `record.look` or `record.teach` (a batch cannot be accumulated in parts then).
    weight: of its term, where it has one; too high a weight is named among the causes of a collapse.
    """

    runs_network = False
    extra_views = 0
    first_extra_view = 0
    weight = 0.0

    def join(self, method: JointEmbedding) -> None:
        """See the method once, at construction; refuse a base that makes no sense with a UserError that says why."""

    def show(self, shown: list[Tensor], progress: Progress) -> list[Tensor]:
        """Change what the student sees: V tensors in, V tensors out."""
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

    def after_step(self, progress: Progress) -> None:
        """Act after the optimiser's step."""

    def notes(self, method: JointEmbedding, situation: Situation) -> list[str]:
        """What a user should know before this run starts, a sentence each."""
        return []

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        """What is wrong with the numbers just logged, a sentence each; the run says each once."""
        return []


class JointEmbedding(Method):
    """A student, a teacher and a comparison. The bases differ in four choices, made in the methods below.

    The teacher is an EMA twin (`momentum_teacher`), or the student itself. `contrast` says where the negatives come
    from: none, the student's views of the batch, the teacher's keys of the batch, or a queue.
    """

    contrast: Literal["none", "batch", "keys", "queue"] = "none"
    momentum_teacher = False
    teacher: nn.Module
    dim: int
    directions: Sequence[tuple[int, int]] = ((0, 1), (1, 0))

    def __init__(self, student: Branch, additions: Sequence[Addition] = ()) -> None:
        super().__init__()
        self.student = student
        self.additions = cast("Sequence[Addition]", nn.ModuleList(additions))
        self.pairs: list[tuple[nn.Module, nn.Module]] = []

    def join_additions(self) -> None:
        """Let each addition see the finished method; the last line of a base's constructor."""
        count = self.compared_views
        for addition in self.additions:
            addition.first_extra_view = count
            count += addition.extra_views
            addition.join(self)
        self.view_count = count

    @property
    def backbone(self) -> nn.Module:  # type: ignore[override]
        """What the run is for: the student's backbone."""
        return self.student.backbone

    @property
    def compared_views(self) -> int:
        """Views that the base compares."""
        return 1 + max(max(pair) for pair in self.directions)

    def twin(self, module: nn.Module) -> nn.Module:
        """The teacher's counterpart of a student module: an EMA copy that moves with the teacher, or itself."""
        if not self.momentum_teacher:
            return module
        copied = twin_of(module)
        self.pairs.append((copied, module))
        return copied

    def teach(self, images: Tensor, progress: Progress) -> Look:
        """The teacher's look at one view; an EMA teacher gives no gradient and sees each view in its own pass."""
        with torch.no_grad():
            return self.teacher(images)

    def look(self, images: Tensor) -> Look:
        """The student's look at one view."""
        return self.student(images)

    def look_at(self, shown: Sequence[Tensor], wanted: Sequence[int]) -> dict[int, Look]:
        """The student's looks at some views, one pass each."""
        return {i: self.look(shown[i]) for i in wanted}

    def teach_all(
        self, tensors: Sequence[Tensor], wanted: Sequence[int], student: dict[int, Look], progress: Progress
    ) -> dict[int, Look]:
        """The teacher's looks at some views."""
        return {j: self.teach(tensors[j], progress) for j in wanted}

    def stored_negatives(self) -> Tensor | None:
        """Negatives that outlive a step, (K, D), as they are before this one."""
        return None

    def compare(self, student_rows: Tensor, teacher_rows: Tensor, extra: Tensor | None) -> Tensor:
        """The base's loss of each row, (B, D), (B, D) -> (B,), with the further negatives (B, S, D) in it."""
        raise NotImplementedError

    def combine(self, losses: list[Tensor]) -> Tensor:
        """The base's term from the mean losses of its directions."""
        return torch.stack(losses).sum()

    def base_loss(self, record: Pass) -> Tensor:
        """The base's term: its directions compared row by row, averaged over the batch and combined."""
        pairs = [(record.student[i].row, record.teacher[j].row) for i, j in record.directions]
        return self.combine([record.compare(rows, targets).mean() for rows, targets in pairs])

    def observe(self, views: Views, progress: Progress) -> Pass:
        """Run student and teacher: everything of a step that needs the networks."""
        shown, networks = views.tensors, _networks(views.tensors[0].device.type)
        for addition in self.additions:
            shown = addition.show(shown, progress)
        student = self.look_at(shown, sorted({i for i, _ in self.directions}))
        teacher = self.teach_all(views.tensors, sorted({j for _, j in self.directions}), student, progress)
        return Pass(
            views,
            shown,
            student,
            teacher,
            self.stored_negatives(),
            self.directions,
            progress,
            look=_within(networks, self.look),
            teach=_within(networks, lambda images: self.teach(images, progress)),
            networks=networks,
            combine=self.combine,
        )

    def judge(self, record: Pass) -> Losses:
        """The losses of a record, in float32 at least; only additions run networks here, where they must."""
        with torch.autocast(record.views.tensors[0].device.type, enabled=False):
            record.compare = lambda rows, targets: self.compare(rows, targets, self._extra(record, rows, targets))
            scale = math.prod(addition.base_scale(record.progress) for addition in self.additions)
            terms, scalars = {"base": Term(scale, self.base_loss(record))}, self.scalars(record)
            for addition in self.additions:
                terms |= addition.terms(record)
                scalars |= addition.scalars(record)
            rows = torch.cat([look.projection for look in record.student.values()])
            return Losses(terms, rows.detach(), scalars)

    def forward(self, views: Views, progress: Progress) -> Losses:
        """Named terms of one step."""
        return self.judge(self.observe(views, progress))

    def scalars(self, record: Pass) -> dict[str, Tensor]:
        """Numbers for the log, without gradient."""
        return {}

    def after_step(self, progress: Progress) -> None:
        """Act after the optimiser's step; a base that overrides this calls it."""
        for addition in self.additions:
            addition.after_step(progress)

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

    def _extra(self, record: Pass, rows: Tensor, targets: Tensor) -> Tensor | None:
        found = [a.negatives(record, rows, targets) for a in self.additions]
        present = [negatives for negatives in found if negatives is not None]
        return torch.cat(present, dim=1) if present else None


def _networks(kind: str) -> Callable[[], AbstractContextManager[Any]]:
    """The precision in which networks compute at this moment on a device of this kind, as a context."""
    enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
    return lambda: torch.autocast(kind, dtype, enabled=enabled)


def _within(
    context: Callable[[], AbstractContextManager[Any]], work: Callable[[Tensor], Look]
) -> Callable[[Tensor], Look]:
    def again(images: Tensor) -> Look:
        with context():
            return work(images)

    return again
