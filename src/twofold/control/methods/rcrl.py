"""RCRL: moments of the same return are alike (Liu et al., ICLR 2021, arXiv 2102.10960)."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from twofold.control.experience.pairs import Negatives, Pairs, Positives, draw_pairs
from twofold.control.experience.segments import ReturnSegments
from twofold.control.lesson import Lesson, PairStates
from twofold.control.methods.auxiliary import Auxiliary, follow, one_hot
from twofold.control.objectives import bilinear_logits, matched, told_apart
from twofold.control.world import World
from twofold.errors import UserError, above_zero, between_0_and_1
from twofold.seam import Progress, Situation, Term

if TYPE_CHECKING:
    from twofold.control.methods.agent import Agent

WEIGHTS = {"binary": 1.0, "bce": 1.0, "infonce": 0.1}


class RCRLHead(nn.Module):
    """Features and an action -> an embedding z of the pair (B, dim); two of them -> a score of being different.

    Args:
        width: Of the encoder's features.
        world: What actions are.
        projects: Rainbow's: the action through a layer of 64, both through 256 to 128, layer norm. Otherwise one layer
            of 128, to 50.
        use_action: False leaves the action out, which is another method.
    """

    def __init__(self, width: int, world: World, *, projects: bool = True, use_action: bool = True) -> None:
        super().__init__()
        self.world, self.use_action = world, use_action
        acted = (64 if projects else world.actions) if use_action else 0
        self.act = nn.Sequential(nn.Linear(world.actions, 64), nn.ReLU()) if projects and use_action else nn.Identity()
        hidden, self.dim = (256, 128) if projects else (128, 50)
        norm = nn.LayerNorm(self.dim, elementwise_affine=False) if projects else nn.Identity()
        self.embed = nn.Sequential(nn.Linear(width + acted, hidden), nn.ReLU(), nn.Linear(hidden, self.dim), norm)
        self.judge = nn.Sequential(nn.Linear(2 * self.dim, 128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, features: Tensor, action: Tensor) -> Tensor:
        if not self.use_action:
            return self.embed(features)
        return self.embed(torch.cat([features, self.act(one_hot(action, self.world))], 1))

    def score(self, one: Tensor, other: Tensor) -> Tensor:
        """How different two returns are thought to be, (B,); the same in either order."""
        both = self.judge(torch.cat([torch.cat([one, other], 1), torch.cat([other, one], 1)]))
        return both.view(2, -1).mean(0)


class RCRL(Auxiliary):
    """Return-based contrastive learning: pairs of a state and an action are told apart by the returns that followed.

    A reconstruction: no code was released, and what the paper leaves open is decided here.

    Args:
        weight: What the loss counts beside the agent's own (lambda); 1, or 0.1 for infonce, where not given. At 0 the
            head is there, but nothing of it is computed.
        form: How returns are told apart: "binary" and "bce" judge two embeddings, by squared error (Z-learning) or
            cross entropy; "infonce" finds the positive among the batch's.
        positives: Steps of the same segment of an episode ("segment", the paper's), of the same bin of returns in all
            episodes ("bin", Z-learning), or half and half ("mix").
        negatives: Steps with another return, of another segment, or of another bin.
        count: Anchors in each step.
        rewards: Whether episodes are cut after every reward ("sparse") or where the return has moved far enough
            ("dense"); by what the agent is for, or by the log, where auto.
        threshold: How far that is; so that an episode has `segments` of them where not given.
        segments: Into how many a typical episode of dense rewards falls.
        gamma: Of the returns that bins compare.
        bins: How many, of equal mass.
        recent: The share of what is stored, the newest, that pairs are drawn from.
        use_action: Whether the embedding knows the action.
    """

    name = "rcrl"
    pairs = True

    def __init__(
        self,
        *,
        weight: float | None = None,
        form: Literal["binary", "bce", "infonce"] = "binary",
        positives: Literal["segment", "bin", "mix"] = "segment",
        negatives: Literal["other_return", "other_segment", "other_bin"] = "other_return",
        count: int = 32,
        rewards: Literal["auto", "sparse", "dense"] = "auto",
        threshold: float | None = None,
        segments: int = 20,
        gamma: float = 0.97,
        bins: int = 5,
        recent: float = 1.0,
        use_action: bool = True,
    ) -> None:
        super().__init__()
        if count < 2:
            raise UserError(f"rcrl.count is {count}, but a batch of pairs has at least 2 anchors.")
        if weight is not None and not 0 <= weight < math.inf:
            raise UserError(f"rcrl.weight is {weight:g}, but must be a number of at least 0.")
        above_zero(segments=segments, recent=recent)
        between_0_and_1(recent=recent)
        self.weight, self.form = WEIGHTS[form] if weight is None else weight, form
        self.positives: Positives = positives
        self.negatives: Negatives = negatives
        self.count, self.rewards, self.recent, self.use_action = count, rewards, recent, use_action
        self.cutting: dict[str, Any] = {"threshold": threshold, "segments": segments, "gamma": gamma, "bins": bins}
        self.twin = form == "infonce"

    @classmethod
    def fit_to(cls, situation: Situation, settings: dict[str, Any]) -> dict[str, Any]:
        return {"weight": WEIGHTS[settings["form"]]} if settings["weight"] is None else {}

    def attach(self, world: World, width: int, projects: bool) -> None:
        self.head = RCRLHead(width, world, projects=projects, use_action=self.use_action)
        if self.twin:
            self.bilinear = nn.Parameter(torch.eye(self.head.dim))
            self.twin_head = deepcopy(self.head).requires_grad_(False)

    def index(self, capacity: int, dense: bool) -> ReturnSegments | None:
        kind = self.rewards if self.rewards != "auto" else "dense" if dense else "sparse"
        return ReturnSegments(capacity, rewards=kind, **self.cutting)

    def draw(self, index: ReturnSegments, rng: np.random.Generator) -> Pairs | None:
        index.rebin()
        return draw_pairs(
            index, self.count, rng, positives=self.positives, negatives=self.negatives, recent=self.recent
        )

    def term(
        self, agent: Agent, states: Tensor, lesson: Lesson, progress: Progress
    ) -> tuple[Term | None, dict[str, Tensor]]:
        pairs = lesson.pairs.get(self.name)
        if pairs is None:
            return None, {"rcrl_pairs": torch.zeros(())}
        loss, near, far = self._infonce(agent, pairs) if self.twin else self._judged(agent, pairs)
        numbers = {"rcrl_pairs": torch.tensor(float(len(pairs.anchor))), "rcrl_near": near, "rcrl_far": far}
        return Term(self.weight, loss), numbers

    def after_step(self, momentum: float) -> None:
        if self.twin:
            follow(self.twin_head, self.head, momentum)

    def _judged(self, agent: Agent, pairs: PairStates) -> tuple[Tensor, Tensor, Tensor]:
        """The binary loss, and the mean cosines of anchors with positives and with negatives."""
        states = agent.crop(torch.cat([pairs.anchor, pairs.positive, pairs.negative]))
        actions = torch.cat([pairs.anchor_action, pairs.positive_action, pairs.negative_action])
        anchor, others = self.head(agent.encoder(states), actions).split(
            [len(pairs.anchor), len(states) - len(pairs.anchor)]
        )
        positive, negative = others[: len(anchor)], others[pairs.partner]
        scores = self.head.score(torch.cat([anchor, anchor]), torch.cat([positive, negative]))
        different = torch.cat([scores.new_zeros(len(anchor)), scores.new_ones(len(anchor))])
        loss = told_apart(scores, different, squared=self.form == "binary")
        with torch.no_grad():
            near, far = F.cosine_similarity(anchor, positive).mean(), F.cosine_similarity(anchor, negative).mean()
        return loss, near, far

    def _infonce(self, agent: Agent, pairs: PairStates) -> tuple[Tensor, Tensor, Tensor]:
        """The loss over the batch's keys of other returns, and the mean cosines of anchors with their keys and with
        those."""
        anchor = self.head(agent.encoder(agent.crop(pairs.anchor)), pairs.anchor_action)
        with torch.no_grad():
            key = self.twin_head(agent.momentum_encoder(agent.crop(pairs.positive)), pairs.positive_action)
            cosines = F.normalize(anchor, dim=1) @ F.normalize(key, dim=1).T
            far = cosines[pairs.different].mean() if pairs.different.any() else cosines.new_zeros(())
        return matched(bilinear_logits(anchor, key, self.bilinear), pairs.different), cosines.diagonal().mean(), far
