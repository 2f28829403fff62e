"""What may be laid over an agent: a loss of its own on the agent's encoder (RCRL, CURL)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twofold.control.experience.pairs import Pairs
from twofold.control.experience.segments import ReturnSegments
from twofold.control.lesson import Lesson
from twofold.control.world import World
from twofold.seam import Part, Progress, Term

if TYPE_CHECKING:
    from twofold.control.methods.agent import Agent


class Auxiliary(nn.Module, Part):
    """A loss beside the agent's own, on the same encoder. A subclass defines what differs.

    name: of its term. weight: what it counts; at 0 nothing of it is computed. twin: whether it needs the momentum
    encoder. pairs: whether it learns from pairs that are drawn by their returns.
    """

    name: str
    weight: float
    twin: bool = False
    pairs: bool = False

    def attach(self, world: World, width: int, projects: bool) -> None:
        """Make the heads. width: of the encoder's features; projects: whether they go through a projection first."""

    def index(self, capacity: int, dense: bool) -> ReturnSegments | None:
        """What keeps the returns of the steps, where pairs are to be drawn."""
        return None

    def draw(self, index: ReturnSegments, rng: np.random.Generator) -> Pairs | None:
        """Pairs for one step, from what is stored."""
        return None

    def term(
        self, agent: Agent, states: Tensor, lesson: Lesson, progress: Progress
    ) -> tuple[Term | None, dict[str, Tensor]]:
        """The loss of one step, None where nothing can be told yet, and numbers for the log."""
        raise NotImplementedError

    def after_step(self, momentum: float) -> None:
        """Move twins of the heads."""


def one_hot(action: Tensor, world: World) -> Tensor:
    """Actions as features: (B, A)."""
    return F.one_hot(action, world.actions).float() if world.discrete else action


def follow(twin: nn.Module, student: nn.Module, momentum: float) -> None:
    """twin = momentum * twin + (1 - momentum) * student."""
    with torch.no_grad():
        own: list[Tensor] = list(twin.parameters())
        torch._foreach_lerp_(own, list[Tensor](student.parameters()), 1 - momentum)
