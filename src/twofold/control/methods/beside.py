"""RCRL beside anybody's agent: feed it rewards, let it look at steps, add its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twofold.control.experience.pairs import Negatives, Positives, draw_pairs
from twofold.control.experience.segments import ReturnSegments
from twofold.control.methods.rcrl import RCRLHead
from twofold.control.objectives import told_apart
from twofold.control.world import World
from twofold.randomness import derive

Look = Callable[[NDArray[np.int64]], tuple[Tensor, Tensor | NDArray[np.generic]]]


class RCRLAux(nn.Module):
    """The index of returns and the head, for an agent of any library.

    Args:
        width: Of the features that the agent's encoder gives.
        actions: How many there are to choose from, or how many numbers one has.
        capacity: Steps that the agent's replay keeps; step n of the agent's life lies in its row n % capacity.
        discrete: Whether actions are chosen among.
        count: Anchors of a loss.
        positives: Of the same segment of an episode, of the same bin of returns, or half and half.
        negatives: Of another return, another segment, or another bin.
        squared: Z-learning's squared error; False for cross entropy.
        seed: Of what is drawn.
        settings: Of `ReturnSegments`.
    """

    def __init__(
        self,
        width: int,
        actions: int,
        capacity: int,
        *,
        discrete: bool = True,
        count: int = 32,
        positives: Positives = "segment",
        negatives: Negatives = "other_return",
        squared: bool = True,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.head = RCRLHead(width, World((), True, actions, discrete))
        self.index = ReturnSegments(capacity, **settings)
        self.count, self.squared, self.seed, self.losses = count, squared, seed, 0
        self.positives: Positives = positives
        self.negatives: Negatives = negatives

    def observe(self, reward: float, *, terminated: bool, truncated: bool) -> None:
        """A step was made and earned this, in the order in which the replay stores them."""
        self.index.step(float(reward))
        if terminated or truncated:
            self.index.end(terminated=terminated)

    def loss(self, look: Look) -> Tensor | None:
        """The loss of one update, None where returns cannot be told apart yet. look: rows of the replay (N,), int64 ->
        features (N, width) with gradient and actions, int64 (N,) or float32 (N, A), as tensors or arrays."""
        self.index.rebin()
        self.losses += 1
        rng = np.random.default_rng(derive(self.seed, "pairs", self.losses))
        pairs = draw_pairs(self.index, self.count, rng, positives=self.positives, negatives=self.negatives)
        if pairs is None:
            return None
        steps = np.concatenate([pairs.anchor, pairs.positive, pairs.negative])
        features, actions = look(steps % self.index.capacity)
        anchor, positive, negative = self.head(features, torch.as_tensor(actions, device=features.device)).chunk(3)
        scores = self.head.score(torch.cat([anchor, anchor]), torch.cat([positive, negative]))
        different = torch.cat([scores.new_zeros(len(anchor)), scores.new_ones(len(anchor))])
        return told_apart(scores, different, squared=self.squared)

    def learn(self, look: Look, optimizer: torch.optim.Optimizer) -> float | None:
        """An update by this loss alone, with an optimizer that holds the agent's encoder and these parameters. Returns
        the loss; None where there is none yet, and nothing changes."""
        loss = self.loss(look)
        if loss is None:
            return None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()
