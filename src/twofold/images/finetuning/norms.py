"""Batch norm in small batches: true statistics of many pictures before the test, or before the training and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError


def batch_norms(model: nn.Module) -> list[Any]:
    """The batch norms of a network that keep statistics."""
    kind = nn.modules.batchnorm._BatchNorm
    return [m for m in model.modules() if isinstance(m, kind) and m.running_mean is not None]


class _Sums:
    """Of all values that a batch norm has seen: how many, their sum and the sum of their squares, in float64."""

    def __init__(self, norm: Any) -> None:
        self.count = 0
        self.total = self.squares = torch.zeros_like(norm.running_mean, dtype=torch.float64)
        self.handle = norm.register_forward_hook(self._see)

    def _see(self, norm: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        values = given[0].detach().transpose(0, 1).flatten(1).double()
        self.count += values.shape[1]
        self.total = self.total + values.sum(1)
        self.squares = self.squares + values.square().sum(1)

    def write(self, norm: Any) -> None:
        self.handle.remove()
        if self.count < 2:  # a layer that nothing came through keeps what it has
            return
        mean = self.total / self.count
        variance = self.squares / self.count - mean.square()
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance.clamp(min=0) * self.count / (self.count - 1))


def recalibrate(model: nn.Module, passes: Iterable[Callable[[], Any]]) -> None:
    """Set the running statistics of every batch norm to those over all the passes together ("precise batch norm").

    passes: calls that show the model a batch. It is in training mode meanwhile, so that each layer is normalised by the
    batch and the layers behind see what they see in training; weights stay, and so does the mode.
    """
    norms, training = batch_norms(model), model.training
    if not norms:
        return
    sums = [_Sums(norm) for norm in norms]
    model.train()
    with torch.no_grad():
        for show in passes:
            show()
    for one, norm in zip(sums, norms, strict=True):
        one.write(norm)
    model.train(training)


def fix_statistics(model: nn.Module) -> None:
    """Let every batch norm use its running statistics in training, too; scale and shift still learn. To be called after
    every `model.train()`."""
    for norm in batch_norms(model):
        norm.eval()


def refuse_one(protocol: str, batch: int, model: nn.Module) -> None:
    """Refuse batches of one picture where batch norm learns its statistics from them."""
    if batch < 2 and batch_norms(model):
        raise UserError(f"{protocol} cannot learn from batches of 1, of which batch norm has no statistics: give 2.")
