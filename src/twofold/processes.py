"""Rows of all processes, with gradient: what makes a loss over the global batch right."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from twofold.launcher import works_alone


def world() -> int:
    """The number of processes that work together (1 without torch.distributed)."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() and not works_alone() else 1


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


class _Mirror(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return _exchange(rows).flip(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _exchange(gradient).flip(0)


def mirror(rows: Tensor) -> Tensor:
    """The rows (B, ...) that stand here when the batch of all processes is reversed, with gradient.

    Image b of N is paired with image N - 1 - b, whatever the number of processes; each exchanges its rows with one
    other.
    """
    return rows.flip(0) if world() == 1 else _Mirror.apply(rows)


def _exchange(rows: Tensor) -> Tensor:
    """The rows of the process at the mirrored rank."""
    partner = world() - 1 - rank()
    if partner == rank():
        return rows
    rows = rows.contiguous()
    theirs = torch.empty_like(rows)
    for request in dist.batch_isend_irecv(
        [dist.P2POp(dist.isend, rows, partner), dist.P2POp(dist.irecv, theirs, partner)]
    ):
        request.wait()
    return theirs
