"""Soft actor-critic from pixels, as CURL takes it (Haarnoja et al. 2018; Laskin, Srinivas, Abbeel, ICML 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from twofold.control.lesson import lesson_of
from twofold.control.methods.agent import Agent
from twofold.control.methods.auxiliary import Auxiliary, follow
from twofold.control.nets.actor_critic import Actor, Critic, StateEncoder
from twofold.control.nets.crops import centre_crop, random_crop
from twofold.control.nets.encoders import choose
from twofold.control.objectives import squash
from twofold.control.world import World
from twofold.errors import above_zero, between_0_and_1
from twofold.seam import Losses, Progress, Term, Update, Views


class SAC(Agent):
    """Soft actor-critic: two critics, an actor that also seeks entropy, and a temperature that keeps it at -|A|.

    The critics teach the encoder; the actor sees its convolutions without changing them. Each step of the run makes up
    to three updates: critics, actor with temperature, and what is laid over the agent. A state is cropped to 84 % of
    its sides, at random while learning, in the middle while acting.

    Args:
        network: The encoder; "sac" for pictures, "mlp" for vectors where auto.
        hidden: Units of actor and critics.
        features: That the encoder gives.
        crop: Sides of the crop over those of the state; 1 for none.
        n_step: Steps whose rewards are added up.
        gamma: Discount.
        temperature: Weight of the entropy at the start (alpha).
        temperature_lr: Its learning rate.
        critic_tau: How far the target critics move each time.
        encoder_tau: How far the target encoder moves.
        target_every: Updates of the critics between moves of the targets.
        actor_every: Updates of the critics for each of the actor.
    """

    discrete = False
    padding = "first"
    random_start, dense, projects = True, True, False

    def __init__(
        self,
        world: World,
        *,
        network: Literal["auto", "sac", "grid", "mlp"] = "auto",
        hidden: int = 1024,
        features: int = 50,
        crop: float = 0.84,
        n_step: int = 1,
        gamma: float = 0.99,
        temperature: float = 0.1,
        temperature_lr: float = 1e-4,
        critic_tau: float = 0.01,
        encoder_tau: float = 0.05,
        target_every: int = 2,
        actor_every: int = 2,
        additions: Sequence[Auxiliary] = (),
    ) -> None:
        super().__init__(world, additions)
        above_zero(hidden=hidden, features=features, crop=crop, temperature=temperature, n_step=n_step)
        above_zero(temperature_lr=temperature_lr, target_every=target_every, actor_every=actor_every)
        between_0_and_1(gamma=gamma, crop=crop, critic_tau=critic_tau, encoder_tau=encoder_tau)
        self.n_step, self.gamma, self.temperature_lr = n_step, gamma, temperature_lr
        self.critic_tau, self.encoder_tau = critic_tau, encoder_tau
        self.target_every, self.actor_every = target_every, actor_every
        self.crops = world.pixels and crop < 1
        sides = tuple(round(side * crop) for side in world.frame[1:]) if self.crops else world.frame[1:]
        self.seen = (world.state[0], *sides)
        kind = choose("sac" if network == "auto" and world.pixels else network, world)
        encoder = StateEncoder(self.seen, kind, features)
        self.critic = Critic(features, world.actions, hidden)
        self.actor = Actor(encoder.layers, world.actions, features, hidden)
        self.target_encoder = deepcopy(encoder).requires_grad_(False)
        self.target_critic = deepcopy(self.critic).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.finish(encoder, features)

    def make_twin(self, encoder: nn.Module) -> nn.Module | None:
        return None  # the target encoder serves

    @property
    def momentum_encoder(self) -> nn.Module:
        return self.target_encoder

    def crop(self, states: Tensor) -> Tensor:
        return random_crop(states, *self.seen[1:]) if self.crops else states

    def updates(self) -> Mapping[str, Update]:
        critic = [*self.critic.parameters(), *self.encoder.parameters()]
        heads = [p for p in self.auxiliaries.parameters() if p.requires_grad]
        return {
            "critic": Update(critic),
            "actor": Update(list(self.actor.parameters())),
            "temperature": Update([self.log_temperature], lr=self.temperature_lr, betas=(0.5, 0.999)),
            "auxiliary": Update([*self.encoder.parameters(), *heads]),
        }

    def update(self, name: str, views: Views, progress: Progress) -> Losses | None:
        due = progress.step % self.actor_every == 0
        if name == "critic":
            return self._learn_values(views)
        if name == "actor":
            return self._learn_to_act(views) if due else None
        if name == "temperature":
            return self._learn_temperature(views) if due else None
        if progress.step % self.target_every == 0:
            follow(self.target_critic, self.critic, 1 - self.critic_tau)
            follow(self.target_encoder, self.encoder, 1 - self.encoder_tau)
        terms, numbers = self.terms(views.tensors[1], lesson_of(views), progress)
        return Losses(terms, None, numbers) if terms else None

    @torch.no_grad()
    def act(self, state: NDArray[np.generic], generator: torch.Generator, *, explore: bool) -> NDArray[np.generic]:
        states = torch.from_numpy(state)[None].to(self.log_temperature.device)
        if not explore:
            return self.best(states)[0].cpu().numpy()
        mean, log_std = self.actor(self._middle(states))
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        return squash(mean, log_std, noise)[0][0].cpu().numpy()

    def best(self, states: Tensor) -> Tensor:
        return self.actor(self._middle(states))[0].tanh()

    def _middle(self, states: Tensor) -> Tensor:
        return centre_crop(states, *self.seen[1:]) if self.crops else states

    def after_step(self, progress: Progress) -> None:
        for addition in self.additions:
            if addition.weight:
                addition.after_step(1 - self.encoder_tau)

    def alarms(self, row: Mapping[str, float]) -> list[str]:
        found = []
        if not 1e-4 <= row.get("temperature", 1.0) <= 10:
            found.append(f"The temperature is {row['temperature']:.3g}: rewards may want another scale.")
        if row.get("saturated", 0.0) > 0.9:
            found.append(
                f"{row['saturated']:.0%} of the actions lie at their bounds: the actor has stopped to explore."
            )
        return found

    def _learn_values(self, views: Views) -> Losses:
        """Both critics towards the soft value of what followed."""
        whole, later = views.tensors
        states, after, lesson = self.crop(whole), self.crop(later), lesson_of(views)
        views.tensors = [states, whole]  # the actor learns from the same crops; CURL crops anew
        with torch.no_grad():
            mean, log_std = self.actor(after)
            action, log_probability = squash(mean, log_std, torch.randn_like(mean))
            future = torch.minimum(*self.target_critic(self.target_encoder(after), action))
            target = lesson.gain + lesson.discount * (future - self.log_temperature.exp() * log_probability)
        one, other = self.critic(self.encoder(states), lesson.action)
        each = 0.5 * ((one - target).square() + (other - target).square()).detach()
        loss = F.mse_loss(one, target) + F.mse_loss(other, target)
        return Losses({"critic": Term(1.0, loss)}, None, {"q": one.detach().mean()}, each=each)

    def _learn_to_act(self, views: Views) -> Losses:
        """The actor towards actions of high value and entropy; the encoder and the critics stay as they are."""
        states = views.tensors[0]
        with torch.no_grad():
            features = self.encoder(states)
        mean, log_std = self.actor(states)
        action, log_probability = squash(mean, log_std, torch.randn_like(mean))
        value = torch.minimum(*self.critic(features, action))
        loss = (self.log_temperature.exp().detach() * log_probability - value).mean()
        numbers = {
            "entropy": -log_probability.detach().mean(),
            "saturated": (action.detach().abs() > 0.99).float().mean(),
        }
        self.entropy_gap = (-log_probability.detach() + self.world.actions).mean()
        return Losses({"actor": Term(1.0, loss)}, None, numbers)

    def _learn_temperature(self, views: Views) -> Losses:
        """The temperature up where the entropy is below -|A|, and down where it is above."""
        temperature = self.log_temperature.exp()
        loss = temperature * self.entropy_gap
        return Losses({"temperature": Term(1.0, loss)}, None, {"temperature": temperature.detach()})
