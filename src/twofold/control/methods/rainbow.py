"""Rainbow, as it learns from few samples (Hessel et al., AAAI 2018; van Hasselt et al., NeurIPS 2019)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twofold.control.lesson import Lesson, lesson_of
from twofold.control.methods.agent import Agent
from twofold.control.methods.auxiliary import Auxiliary
from twofold.control.nets.encoders import Encoder, choose
from twofold.control.nets.noisy import Dueling
from twofold.control.objectives import project
from twofold.control.world import World
from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.seam import Losses, Progress, Term, Views


class Network(nn.Module):
    """Encoder and dueling head: states -> logits (B, A, atoms)."""

    def __init__(self, encoder: Encoder, head: Dueling) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, states: Tensor) -> Tensor:
        return self.head(self.encoder(states))


class Rainbow(Agent):
    """Distributional double Q-learning with a dueling noisy network, over n steps, from a prioritised replay.

    The network that learns chooses the next action, its copy values it. Priorities are losses to the power alpha.

    Args:
        network: The encoder; "data-efficient" for pictures of 64 pixels and more, "grid" for smaller ones, "mlp" for
            vectors where auto. "canonical" is the first Rainbow's.
        hidden: Units of the noisy layers.
        atoms: Of the distribution.
        low: Lowest return that it can express.
        high: Highest return.
        sigma: Initial noise.
        n_step: Steps whose rewards are added up.
        gamma: Discount.
        alpha: How much priorities count, 0 for not at all.
        beta: How much weights undo that at the start; 1 at the end.
        target_every: Updates between copies of the network.
        clip_rewards: Cut rewards to [-1, 1], as in Atari.
    """

    def __init__(
        self,
        world: World,
        *,
        network: Literal["auto", "data-efficient", "canonical", "grid", "mlp"] = "auto",
        hidden: int = 256,
        atoms: int = 51,
        low: float = -10.0,
        high: float = 10.0,
        sigma: float = 0.1,
        n_step: int = 20,
        gamma: float = 0.99,
        alpha: float = 0.5,
        beta: float = 0.4,
        target_every: int = 2000,
        clip_rewards: bool = True,
        additions: Sequence[Auxiliary] = (),
    ) -> None:
        super().__init__(world, additions)
        above_zero(hidden=hidden, n_step=n_step, target_every=target_every)
        between_0_and_1(gamma=gamma, alpha=alpha, beta=beta)
        if not 0 <= sigma < math.inf:
            raise UserError(f"sigma is {sigma:g}, but must be a number of at least 0.")
        if atoms < 2 or not -math.inf < low < high < math.inf:
            raise UserError(f"rainbow has {atoms} atoms from {low:g} to {high:g}: give at least 2, and low below high.")
        self.n_step, self.gamma, self.alpha, self.beta = n_step, gamma, alpha, beta
        self.clips, self.target_every = clip_rewards, target_every
        encoder = Encoder(world.state, choose(network, world), hidden)
        self.network = Network(encoder, Dueling(encoder.width, hidden, world.actions, atoms, sigma))
        self.target = deepcopy(self.network).requires_grad_(False)
        self.register_buffer("support", torch.linspace(low, high, atoms), persistent=False)
        self.support: Tensor
        self.finish(encoder, encoder.width)

    def before_step(self, progress: Progress) -> None:
        self.network.head.resample(progress.generator("noise"))

    def forward(self, views: Views, progress: Progress) -> Losses:
        states, after, lesson = views.tensors[0], views.tensors[1], lesson_of(views)
        rows = torch.arange(len(states), device=states.device)
        log_probabilities = self.network(states)[rows, lesson.action].log_softmax(1)
        target = self._target(after, lesson, progress)
        each = -(target * log_probabilities).sum(1)
        terms, numbers = self.terms(states, lesson, progress)
        value = (log_probabilities.detach().exp() * self.support).sum(1).mean()
        beyond = ((lesson.gain < self.support[0]) | (lesson.gain > self.support[-1])).float().mean()
        numbers |= {"q": value, "beyond_support": beyond, "weight_least": lesson.weights.min()}
        terms = {"td": Term(1.0, (lesson.weights * each).mean()), **terms}
        return Losses(terms, None, numbers, each=each.detach())

    @torch.no_grad()
    def _target(self, after: Tensor, lesson: Lesson, progress: Progress) -> Tensor:
        """The distribution that is learned: double Q-learning, projected."""
        self.target.head.resample(progress.generator("target noise"))
        best = self.values(self.network(after)).argmax(1)
        probabilities = self.target(after)[torch.arange(len(after), device=after.device), best].softmax(1)
        return project(probabilities, lesson.gain, lesson.discount, self.support)

    def values(self, logits: Tensor) -> Tensor:
        """The expected return of each action, (B, A), from logits (B, A, atoms)."""
        return (logits.softmax(2) * self.support).sum(2)

    @torch.no_grad()
    def act(self, state: NDArray[np.generic], generator: torch.Generator, *, explore: bool) -> NDArray[np.generic]:
        if not explore and torch.rand((), generator=generator) < 0.001:
            return np.asarray(int(torch.randint(self.world.actions, (), generator=generator)))
        if explore:
            self.network.head.resample(generator)
        states = torch.from_numpy(state)[None].to(self.support.device)
        return self._best(states, noisy=explore)[0].cpu().numpy()

    def best(self, states: Tensor) -> Tensor:
        return self._best(states, noisy=False)

    def _best(self, states: Tensor, *, noisy: bool) -> Tensor:
        return self.values(self.network.head(self.network.encoder(states), noisy)).argmax(1)

    def after_step(self, progress: Progress) -> None:
        self.move_twins()
        if (progress.step + 1) % self.target_every == 0:
            self.target.load_state_dict(self.network.state_dict())

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        if row.get("beyond_support", 0) > 0.01:
            low, high = self.support[0].item(), self.support[-1].item()
            return [
                f"{row['beyond_support']:.0%} of the returns lie beyond the support, {low:g} to {high:g}: give "
                f"--method.low and --method.high, or --method.clip_rewards true."
            ]
        return []
