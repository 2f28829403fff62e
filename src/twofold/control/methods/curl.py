"""CURL: two crops of one state are alike (Laskin, Srinivas, Abbeel, ICML 2020, arXiv 2004.04136)."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twofold.control.lesson import Lesson
from twofold.control.methods.auxiliary import Auxiliary, follow
from twofold.control.nets.crops import random_crop
from twofold.control.objectives import bilinear_logits, matched
from twofold.control.world import World
from twofold.errors import UserError
from twofold.seam import Progress, Situation, Term

if TYPE_CHECKING:
    from twofold.control.methods.agent import Agent

SCALE = 0.1  # of the logits behind Rainbow's projection


class CURLHead(nn.Module):
    """Rainbow's projection: features -> 256, layer norm, ReLU, 128, layer norm; the norms have no parameters."""

    def __init__(self, width: int, hidden: int = 256, dim: int = 128) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(width, hidden), nn.Linear(hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.layer_norm(self.hidden(features), [self.hidden.out_features]).relu()
        return F.layer_norm(self.out(hidden), [self.out.out_features])


class CURL(Auxiliary):
    """Contrastive unsupervised representations: each state finds another crop of itself among those of the batch.

    Over Rainbow the views are crops of 80 pixels, padded and cropped back to the state's size, through a projection;
    over SAC they are the crops of 84 from 100 pixels that the agent learns from anyway.

    Args:
        weight: What the loss counts beside the agent's own. The authors take 0.01 in Pong, Boxing, Private Eye and
            Freeway.
        margin: Pixels that a crop is smaller than the state, and by which it is padded again; for agents that do not
            crop themselves. 4 of 84 where not given, in proportion.
    """

    name = "curl"
    twin = True

    def __init__(self, *, weight: float = 1.0, margin: int | None = None) -> None:
        super().__init__()
        if not 0 <= weight < math.inf:
            raise UserError(f"curl.weight is {weight:g}, but must be a number of at least 0.")
        self.weight, self.margin = weight, margin

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        return {}

    def attach(self, world: World, width: int, projects: bool) -> None:
        if not world.pixels:
            raise UserError("curl crops pictures, and this environment gives vectors: leave it out.")
        side = min(world.frame[1:])
        if self.margin is not None and not 0 <= self.margin < side:
            raise UserError(f"curl.margin is {self.margin}, and pictures have {side} pixels: give 0 to {side - 1}.")
        self.projects = projects
        self.head: nn.Module = CURLHead(width) if projects else nn.Identity()
        self.twin_head = deepcopy(self.head).requires_grad_(False)
        dim = 128 if projects else width
        self.bilinear = nn.Parameter(torch.rand(dim, dim))

    def term(
        self, agent: Agent, states: Tensor, lesson: Lesson, progress: Progress
    ) -> tuple[Term | None, dict[str, Tensor]]:
        anchor, positive = self._views(agent, states), self._views(agent, states)
        z = self.head(agent.encoder(anchor))
        with torch.no_grad():
            key = self.twin_head(agent.momentum_encoder(positive))
        logits = bilinear_logits(z, key, self.bilinear, SCALE if self.projects else 1.0)
        right = (logits.detach().argmax(1) == torch.arange(len(logits), device=logits.device)).float().mean()
        return Term(self.weight, matched(logits)), {"curl_accuracy": right}

    def after_step(self, momentum: float) -> None:
        if list(self.head.parameters()):
            follow(self.twin_head, self.head, momentum)

    def _views(self, agent: Agent, states: Tensor) -> Tensor:
        if agent.crops:
            return agent.crop(states)
        height, width = states.shape[-2:]
        margin = max(round(min(height, width) * 4 / 84), 1) if self.margin is None else self.margin
        cropped = random_crop(states, height - margin, width - margin)
        padded = F.pad(cropped.float(), (margin,) * 4, mode="replicate")
        return random_crop(padded, height, width)
