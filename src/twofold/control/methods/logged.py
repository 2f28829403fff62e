"""An encoder alone, learned from logged episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from twofold.control.lesson import lesson_of
from twofold.control.methods.agent import Agent
from twofold.control.methods.auxiliary import Auxiliary
from twofold.control.nets.encoders import Encoder, choose
from twofold.control.world import World
from twofold.seam import Losses, Progress, Views


class Logged(Agent):
    """An encoder that learns by what is laid over it, with nobody acting: from what others did, and what came of it.

    Args:
        network: The encoder; "data-efficient" for pictures of 64 pixels and more, "grid" for smaller ones, "mlp" for
            vectors where auto.
        hidden: Units of "mlp".
    """

    discrete = None

    def __init__(
        self,
        world: World,
        *,
        network: Literal["auto", "data-efficient", "canonical", "grid", "mlp"] = "auto",
        hidden: int = 256,
        additions: Sequence[Auxiliary] = (),
    ) -> None:
        super().__init__(world, additions)
        encoder = Encoder(world.state, choose(network, world), hidden)
        self.finish(encoder, encoder.width)

    def forward(self, views: Views, progress: Progress) -> Losses:
        terms, numbers = self.terms(views.tensors[0], lesson_of(views), progress)
        return Losses(terms, None, numbers)

    def after_step(self, progress: Progress) -> None:
        self.move_twins()
