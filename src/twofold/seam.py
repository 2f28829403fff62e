"""The seam: what passes between data, views, method and loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.randomness import generator

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class Batch:
    """Things as read; each kind of data adds what it reads of them, as further tensors.

    index: int64 (B,), the position of each thing in the data (what random draws depend on).
    """

    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device."""
        moved = {field.name: getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)}
        return replace(self, **moved)


AnyBatch = TypeVar("AnyBatch", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Geometry:
    """Where a view that was cut from a larger picture lies in it.

    box: float32 (B, 4), left, top, right, bottom in source pixels. flip: bool (B,), mirrored left to right after the
    crop. source: float32 (B, 2), height and width of the source.
    """

    box: Tensor
    flip: Tensor
    source: Tensor

    def rows(self, rows: slice) -> Geometry:
        """The geometry of some rows of the batch."""
        return Geometry(self.box[rows], self.flip[rows], self.source[rows])

    def to(self, device: torch.device | str) -> Geometry:
        """The same on another device."""
        return Geometry(self.box.to(device), self.flip.to(device), self.source.to(device))


@dataclass(frozen=True)
class Task:
    """What was drawn together with the views for a pretext task, as tensors (B, ...); a subclass names them."""

    def rows(self, rows: slice) -> Self:
        """Those of some rows of the batch."""
        return replace(self, **{own.name: getattr(self, own.name)[rows] for own in fields(self)})


@dataclass
class Views:
    """V views of the same B things.

    tensors: V tensors (B, ...), as the method's network takes them. geometry: one record a view (or empty where views
    were not cut from something). index: int64 (B,), as in the batch. task: where the method asked for one
    (`Method.pretext`).
    """

    tensors: list[Tensor]
    geometry: list[Geometry]
    index: Tensor
    task: Task | None = None

    def __len__(self) -> int:
        return len(self.tensors)

    def rows(self, rows: slice) -> Views:
        """The views of some rows of the batch."""
        task = None if self.task is None else self.task.rows(rows)
        return Views([t[rows] for t in self.tensors], [g.rows(rows) for g in self.geometry], self.index[rows], task)


@dataclass(frozen=True)
class Progress:
    """Where in the run a step stands: step of steps, epoch of epochs (both from 0), and the seed of the run."""

    step: int
    steps: int
    epoch: int = 0
    epochs: int = 1
    seed: int = 0

    @property
    def fraction(self) -> float:
        """The share of the run that lies behind, 0 to 1."""
        return min(self.step / max(self.steps, 1), 1.0)

    def generator(self, *keys: int | str) -> torch.Generator:
        """Random numbers of this step for one purpose: a function of (seed, step, keys) alone."""
        return generator(self.seed, self.step, *keys)


@dataclass(frozen=True)
class Situation:
    """What a method may fit its unset settings to: things in the data, batch over all devices, devices, steps; and
    whether it is known where views were cut (`Views.geometry`)."""

    count: int
    batch_size: int
    devices: int = 1
    steps: int = 1
    geometry: bool = True


class Term(NamedTuple):
    """One named part of the loss: its weight and its value (a scalar with gradient)."""

    weight: float
    value: Tensor


@dataclass
class Losses:
    """What a step gives the loop: the terms, numbers for the log, and rows whose spread shows a collapse, if any.

    each: the loss of each thing of the batch (B,), for data that is drawn by it (`Stream.heed`).
    """

    terms: dict[str, Term]
    rows: Tensor | None
    scalars: dict[str, Tensor] = field(default_factory=dict)
    each: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """The weighted sum of the terms."""
        return torch.stack([term.weight * term.value for term in self.terms.values()]).sum()


class Part:
    """What the catalog builds by its name: a method, an addition, a ranker without training. leaves_out: whether some
    steps give no gradient to some of its parameters, which several processes must know."""

    leaves_out = False

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        """Changes to a recipe's settings that data and batch call for; the user's own settings override them."""
        return {}

    def check(self, situation: Situation) -> None:
        """Refuse, with a UserError, data or a batch that the part cannot work with."""


@dataclass(frozen=True)
class Update:
    """One of several optimizer steps that a method makes in each step of a run, each by a loss of its own.

    parameters: what it changes; one may be in several updates. lr: its rate, the run's where None. betas: Adam's. lazy:
    gradients are sparse, and rows without one stay as they are.
    """

    parameters: Sequence[nn.Parameter]
    lr: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    lazy: bool = False


class Method(nn.Module, Part):
    """What the loop, and the code that prepares a run, need of a method; a subclass defines only what differs.

    backbone: what the run is for, the network that is exported. view_count: views that a step needs. batch_norm:
    whether statistics are of each process ("local") or of all ("global"). pretext: what is to be drawn with the views
    for a task beside their comparison, which the wing of the data carries out; `Views.task` tells what was drawn.
    """

    backbone: nn.Module
    view_count: int
    batch_norm: Literal["local", "global"] = "global"
    pretext: object | None = None

    def forward(self, views: Views, progress: Progress) -> Losses:
        """Named, weighted terms of one step."""
        raise NotImplementedError

    def loss(self, views: Sequence[Tensor], progress: Progress) -> Tensor:
        """The loss of a step in a loop of one's own, a scalar; call `after_step` behind the optimizer's.

        views: of the same B things, (B, ...) each, as many as `view_count`.
        """
        if len(views) != self.view_count or len({len(view) for view in views}) != 1:
            sizes = ", ".join(str(tuple(view.shape)) for view in views)
            raise UserError(f"{type(self).__name__} takes {self.view_count} views of one batch, not {sizes or 'none'}.")
        self.before_step(progress)
        made: Losses = self(Views(list(views), [], torch.arange(len(views[0]))), progress)
        return made.total

    def updates(self) -> Mapping[str, Update]:
        """The optimizer steps of each step of the run, by name and in order; none where `forward` is all there is."""
        return {}

    def update(self, name: str, views: Views, progress: Progress) -> Losses | None:
        """The losses of one of several updates; None where it is not due."""
        raise NotImplementedError

    def before_step(self, progress: Progress) -> None:
        """Act before the forward pass."""

    def after_step(self, progress: Progress) -> None:
        """Act after the optimizer's step."""

    def constant_rate(self) -> Sequence[nn.Parameter]:
        """Parameters whose learning rate does not follow the schedule."""
        return ()

    def compiled_networks(self) -> Sequence[nn.Module]:
        """The networks that `--compile` compiles."""
        return (self.backbone,)

    def notes(self, situation: Situation) -> list[str]:
        """What a user should know before this run starts, a sentence each."""
        return []

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        """What is wrong with the numbers just logged, a sentence each; the run says each once."""
        return []

    def collapse_causes(self) -> list[str]:
        """What in the method may have made all rows alike, half a sentence each; besides the causes in the plan."""
        return []


class Stream(Generic[AnyBatch]):
    """Data as the loop needs it, in batches of its own kind.

    waited: seconds that the loop has waited for batches so far. unreadable: what could not be read, by name, with the
    reason.
    """

    waited: float

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Empty where the data is not made of files."""
        return {}

    @property
    def open_ended(self) -> bool:
        """Whether a longer run would have had the same data so far, and what it needs to go on is kept."""
        return True

    def __len__(self) -> int:
        raise NotImplementedError

    def stream(self, index_batches: Iterable[Tensor], epochs: Iterable[int] = ()) -> Iterator[AnyBatch]:
        """A batch for each batch of positions; epochs: of each, for data that draws what it reads of a thing."""
        raise NotImplementedError

    def heed(self, batch: Batch, losses: Losses) -> None:
        """Learn what a step has found of the things of its batch, where that decides what is drawn next."""

    def numbers(self) -> dict[str, float]:
        """Numbers of the data itself for the log, of the time since they were last asked for."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a run needs, beside the step, to go on with the same data: nothing where that is a function of the step.
        Called in the first process, right before a checkpoint is written."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Raises ValueError where it cannot be meant, Damaged where files that it needs are; it may
        be called with the state of an earlier checkpoint then."""


class Monitor(Protocol):
    """A measurement made at the end of every so many epochs, and at the end of the run; leaves the method as it was.

    Called in the first process only. enough: looked at after each call; where it is true the run ends. on_progress: to
    be called now and then with what is done and the total, for the screen; given by the loop, which by an exception
    from it ends a measurement that a signal interrupts. It is made again when the run goes on.
    """

    every_epochs: int
    enough: bool = False
    on_progress: Callable[[int, int], None] = staticmethod(lambda done, total: None)

    def __call__(self, method: Method, progress: Progress) -> dict[str, float]:
        """Numbers for the log, by column."""
        ...
