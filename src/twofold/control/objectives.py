"""The losses of control: distributional temporal differences, squashed Gaussians, and returns told apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def project(probabilities: Tensor, gain: Tensor, discount: Tensor, support: Tensor) -> Tensor:
    """The distribution of gain + discount * Z, laid back onto the support (C51, Bellemare et al. 2017, algorithm 1).

    probabilities: (B, atoms) of Z. gain, discount: (B,). support: (atoms,), evenly spaced. Returns (B, atoms), rows
    with sum 1; what lies beyond the support is put on its ends.
    """
    low, high, atoms = support[0], support[-1], len(support)
    step = (high - low) / (atoms - 1)
    places = ((gain[:, None] + discount[:, None] * support).clamp(low, high) - low) / step
    below = places.floor().clamp(0, atoms - 2)
    upper = (places - below).clamp(0, 1)  # 1 where a place is the last atom, 0 on any other
    target = torch.zeros_like(probabilities)
    target.scatter_add_(1, below.long(), probabilities * (1 - upper))
    target.scatter_add_(1, below.long() + 1, probabilities * upper)
    return target


def squash(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """A tanh-squashed Gaussian action and its log probability (SAC, appendix C), in float32.

    mean, log_std, noise: (B, A); noise is standard normal. Returns action (B, A) in (-1, 1), log probability (B,). From
    the value before tanh, with log(1 - tanh(u)^2) as 2 (log 2 - u - softplus(-2u)), so that nothing saturates.
    """
    before = mean + log_std.exp() * noise
    gaussian = (-0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(1)
    volume = (2 * (math.log(2.0) - before - F.softplus(-2 * before))).sum(1)
    return before.tanh(), gaussian - volume


def bilinear_logits(anchor: Tensor, key: Tensor, weight: Tensor, scale: float = 1.0) -> Tensor:
    """scale * (z W z'^T - row maximum), (B, B): the similarities of CURL, equation 5."""
    logits = anchor @ (weight @ key.T)
    return scale * (logits - logits.max(1, keepdim=True).values.detach())


def matched(logits: Tensor, negatives: Tensor | None = None) -> Tensor:
    """Cross entropy of each row with its diagonal as the answer, the mean over rows.

    negatives: bool (B, B), which other columns count; all where None. A row without any has the loss 0.
    """
    if negatives is not None:
        counted = negatives | torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(~counted, -math.inf)
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def told_apart(scores: Tensor, different: Tensor, *, squared: bool = True) -> Tensor:
    """Z-learning (RCRL, section 4): (sigmoid(score) - y)^2 with y = 1 for pairs of different returns, the mean.

    scores: (B,). different: (B,), 0 or 1. squared: False for cross entropy.
    """
    if squared:
        return (scores.sigmoid() - different).square().mean()
    return F.binary_cross_entropy_with_logits(scores, different)
