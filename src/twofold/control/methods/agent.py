"""What all agents share: an encoder, auxiliary losses on it, and its momentum twin for those that need one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twofold.control.experience.segments import ReturnSegments
from twofold.control.lesson import Lesson
from twofold.control.methods.auxiliary import Auxiliary, follow
from twofold.control.world import World
from twofold.errors import UserError
from twofold.randomness import derive
from twofold.seam import Method, Progress, Term


class Agent(Method):
    """Acts in a world and learns from what follows. A subclass gives `act`, `best` and its losses.

    discrete: what actions it takes; any where None. n_step, gamma, alpha, beta: how its experience is drawn, see
    `experience.replay`; beta goes to 1 over the run. random_start: any action until it learns. padding: what stands
    before an episode's start. clips: whether rewards are cut to [-1, 1]. dense: whether rewards
    are taken to come at every step. projects, crops: see `Auxiliary`; momentum: of the twins.
    """

    view_count = 2
    discrete: bool | None = True
    n_step, gamma, alpha, beta = 1, 0.99, 0.0, 0.0
    padding: Literal["zero", "first"] = "zero"
    random_start = False
    clips, dense, projects, crops = False, False, True, False
    momentum = 0.999

    def __init__(self, world: World, additions: Sequence[Auxiliary] = ()) -> None:
        super().__init__()
        self.world = world
        for addition in additions:
            if not isinstance(addition, Auxiliary):
                raise UserError(
                    f"An agent takes rcrl and curl, and {type(addition).__name__} compares views: leave it out."
                )
        self.additions: Sequence[Auxiliary] = list(additions)
        if self.discrete is not None and self.discrete != world.discrete:
            other = "sac, which takes continuous ones" if self.discrete else "rainbow, which chooses among actions"
            kind = "continuous actions" if self.discrete else "actions to choose from"
            raise UserError(f"{type(self).__name__} does not take {kind}: give {other}.")

    def finish(self, encoder: nn.Module, width: int) -> None:
        """Attach what is laid over the agent; last, so that its own weights are the same with and without."""
        self.backbone = encoder
        for addition in self.additions:
            addition.attach(self.world, width, self.projects)
        self.auxiliaries = nn.ModuleList(self.additions)
        self.twin_encoder = self.make_twin(encoder) if any(a.twin for a in self.additions) else None

    def make_twin(self, encoder: nn.Module) -> nn.Module | None:
        """A copy of the encoder that follows it slowly; None where the agent has one anyway."""
        return deepcopy(encoder).requires_grad_(False)

    @property
    def encoder(self) -> nn.Module:
        """States -> features."""
        return self.backbone

    @property
    def momentum_encoder(self) -> nn.Module:
        """The encoder's twin."""
        assert self.twin_encoder is not None
        return self.twin_encoder

    def crop(self, states: Tensor) -> Tensor:
        """States as the encoder learns from them."""
        return states

    def act(self, state: NDArray[np.generic], generator: torch.Generator, *, explore: bool) -> NDArray[np.generic]:
        """An action for one state; a function of the state, the weights and the generator."""
        raise NotImplementedError

    def best(self, states: Tensor) -> Tensor:
        """The action thought best for each state, without noise: int64 (B,), or float32 (B, A) in [-1, 1]."""
        raise NotImplementedError

    def random_action(self, rng: np.random.Generator) -> NDArray[np.generic]:
        """Any action, all equally likely."""
        if self.world.discrete:
            return np.asarray(rng.integers(self.world.actions))
        return rng.uniform(-1, 1, self.world.actions).astype(np.float32)

    def index(self, capacity: int) -> ReturnSegments | None:
        """What keeps the returns of the steps, where an addition draws by them."""
        return next((found for a in self.additions if (found := a.index(capacity, self.dense))), None)

    def terms(self, states: Tensor, lesson: Lesson, progress: Progress) -> tuple[dict[str, Term], dict[str, Tensor]]:
        """The losses of what is laid over the agent, and numbers for the log. Their draws are a function of the step,
        and leave the agent's own draws as they are."""
        terms, numbers = dict[str, Term](), dict[str, Tensor]()
        for addition in self.additions:
            if addition.weight == 0:
                continue
            with torch.random.fork_rng(devices=[states.device] if states.is_cuda else []):
                torch.default_generator.manual_seed(derive(progress.seed, progress.step, "auxiliary", addition.name))
                term, found = addition.term(self, states, lesson, progress)
            numbers |= found
            if term is not None:
                terms[addition.name] = term
        return terms, numbers

    def move_twins(self) -> None:
        """Let the twins of encoder and heads follow."""
        if self.twin_encoder is not None:
            follow(self.twin_encoder, self.encoder, self.momentum)
        for addition in self.additions:
            if addition.weight:
                addition.after_step(self.momentum)
