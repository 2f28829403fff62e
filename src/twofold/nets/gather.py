"""Rows of all processes, with gradient: what makes a loss over the global batch right."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> int:
    """The number of processes that train together (1 without torch.distributed)."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if world() > 1 else 0


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(world())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient.chunk(world())[rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.contiguous().clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


def gather(rows: Tensor) -> Tensor:
    """Rows (B, ...) of every process in rank order, (W * B, ...). The gradient sums what every process sends back.

    With the mean over processes that data parallelism takes of the gradients, a loss that is the mean over local rows
    against gathered rows has exactly the gradient of the joined batch. Without other processes: the rows themselves.
    """
    return rows if world() == 1 else _Gather.apply(rows)


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, with gradient."""
    return value if world() == 1 else _Sum.apply(value)
