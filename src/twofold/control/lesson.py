"""What passes from an agent's experience to its losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from typing_extensions import Self

from twofold.seam import Batch, Task, Views


@dataclass(frozen=True)
class PairStates:
    """Anchors with a step of the same return and one of another: states (B, ...) and actions of each.

    negative: (N, ...), only those that are not among the positives. partner: int64 (B,), where each anchor's step of
    another return stands in positives and negatives, one after the other. different: bool (B, B), see
    `experience.pairs.Pairs`.
    """

    anchor: Tensor
    anchor_action: Tensor
    positive: Tensor
    positive_action: Tensor
    negative: Tensor
    negative_action: Tensor
    partner: Tensor
    different: Tensor

    def to(self, device: torch.device | str) -> PairStates:
        """The same on another device."""
        return replace(self, **{own.name: getattr(self, own.name).to(device) for own in fields(self)})


@dataclass(frozen=True)
class Lesson(Task):
    """What is known of a batch of steps beside their states, `Views.tensors` = [states, states after n steps].

    action: int64 (B,), or float32 (B, A). gain: (B,), discounted rewards of the n steps. discount: (B,), gamma^n, or 0
    where the episode ended. weights: (B,), importance. pairs: by the name of the addition that asked for them.
    """

    action: Tensor
    gain: Tensor
    discount: Tensor
    weights: Tensor
    pairs: Mapping[str, PairStates]


@dataclass
class Experience(Batch):
    """A batch of steps as drawn from experience; the fields are those of `Lesson`, and the states."""

    states: Tensor
    after: Tensor
    action: Tensor
    gain: Tensor
    discount: Tensor
    weights: Tensor
    pairs: Mapping[str, PairStates]

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device."""
        moved = {own.name: getattr(self, own.name) for own in fields(self)}
        pairs = {name: found.to(device) for name, found in moved.pop("pairs").items()}
        tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in moved.items()}
        return replace(self, **tensors, pairs=pairs)

    def views(self) -> Views:
        """The batch as the loop hands it to an agent."""
        lesson = Lesson(self.action, self.gain, self.discount, self.weights, self.pairs)
        return Views([self.states, self.after], [], self.index, lesson)


def lesson_of(views: Views) -> Lesson:
    """The lesson of a batch."""
    assert isinstance(views.task, Lesson)
    return views.task
