"""Large batches in parts: the loss sees the whole batch, the networks a part at a time (GradCache, Gao et al. 2021).

First pass: every part goes through the networks without gradient, and the looks are joined into one record. The loss of
that record gives the gradient of each look. Second pass: every part again, now with gradient, from those gradients on
down. Batch norm sees a part at a time; everything else is exactly the step of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.methods.joint_embedding import JointEmbedding
from twofold.methods.record import Look, Pass
from twofold.seam import Losses, Progress, Views


def check_accumulation(method: object) -> None:
    """Refuse a method whose loss cannot be taken apart from its networks, naming what stands in the way."""
    if not isinstance(method, JointEmbedding):
        raise UserError(
            f"{type(method).__name__} cannot accumulate a batch in parts: "
            f"leave accumulate at 1 and give a smaller batch."
        )
    for addition in method.additions:
        if addition.runs_network:
            _refuse(type(addition).__name__)


def accumulate(
    method: JointEmbedding,
    views: Views,
    progress: Progress,
    parts: int,
    *,
    run: Callable[[Callable[[], Any]], Any],
    no_sync: Callable[[bool], AbstractContextManager[Any]],
    autocast: Callable[[], AbstractContextManager[Any]],
    reseed: Callable[[int], object],
) -> Losses:
    """The losses of a batch, with the gradients of all parameters left in `.grad`.

    run: calls a piece of work through data parallelism. no_sync(True): gradients stay local within the block. autocast:
    the context of the networks. reseed(part): the random state of a part, so that both passes draw the same.
    """
    rows = list(_slices(len(views.index), parts))
    keep = [(buffer, buffer.clone()) for buffer in method.student.buffers()]
    records = []
    for part, own in enumerate(rows):
        reseed(part)
        with torch.no_grad(), autocast():
            records.append(method.observe(views.rows(own), progress))
    # The second pass moves the batch statistics; the first must leave them as they were.
    with torch.no_grad():
        for buffer, before in keep:
            buffer.copy_(before)
    joined = _Joined.of(records, views, method)
    losses = method.judge(joined.record)
    with no_sync(True):
        losses.total.backward()
    for part, own in enumerate(rows):
        reseed(part)
        with no_sync(part < parts - 1):
            with autocast():
                outputs = run(partial(_again, method, views.rows(own), records[part], progress))
            _backward(outputs, joined.gradients(own))
    return losses


def _slices(batch: int, parts: int) -> Iterator[slice]:
    size = batch // parts
    return (slice(part * size, (part + 1) * size) for part in range(parts))


def _again(method: JointEmbedding, views: Views, first: Pass, progress: Progress) -> list[Tensor | None]:
    # An EMA teacher gives no gradient, so it need not look twice.
    if method.momentum_teacher:
        looks = method.look_at(first.shown, list(first.student))
        return _flat({view: looks[view] for view in first.student})
    record = method.observe(views, progress)
    return _flat(record.student) + _flat(record.teacher)


def _backward(outputs: list[Tensor | None], gradients: list[Tensor | None]) -> None:
    roots: dict[int, tuple[Tensor, Tensor]] = {}
    for output, gradient in zip(outputs, gradients, strict=True):
        if output is not None and output.requires_grad and gradient is not None:
            # The same tensor may stand for student and teacher (SimCLR).
            known = roots.get(id(output))
            roots[id(output)] = (output, gradient if known is None else known[1] + gradient)
    torch.autograd.backward([o for o, _ in roots.values()], [g for _, g in roots.values()])


def _flat(looks: dict[int, Look]) -> list[Tensor | None]:
    return [tensor for look in looks.values() for tensor in look.tensors]


@dataclass
class _Joined:
    record: Pass
    leaves: list[Tensor | None]

    @classmethod
    def of(cls, records: list[Pass], views: Views, method: JointEmbedding) -> _Joined:
        leaves: list[Tensor | None] = []

        def join(parts: list[dict[int, Look]], with_gradient: bool) -> dict[int, Look]:
            looks = {}
            for view in parts[0]:
                pieces = [part[view].tensors for part in parts]
                tensors = [None if same[0] is None else torch.cat(same) for same in zip(*pieces, strict=True)]
                if with_gradient:
                    tensors = [None if t is None else t.requires_grad_(t.is_floating_point()) for t in tensors]
                    leaves.extend(tensors)
                looks[view] = Look(*tensors)  # type: ignore[arg-type]
            return looks

        student = join([record.student for record in records], True)
        teacher = join([record.teacher for record in records], not method.momentum_teacher)
        shown = [torch.cat(same) for same in zip(*(record.shown for record in records), strict=True)]
        whole = replace(
            records[0], views=views, shown=shown, student=student, teacher=teacher, look=_no_network, teach=_no_network
        )
        return cls(whole, leaves)

    def gradients(self, rows: slice) -> list[Tensor | None]:
        return [None if leaf is None or leaf.grad is None else leaf.grad[rows] for leaf in self.leaves]


def _no_network(view: Tensor) -> Look:
    _refuse("An addition")
    raise AssertionError


def _refuse(name: str) -> None:
    raise UserError(
        f"{name} runs the network inside its loss terms, so a batch cannot be accumulated in parts: "
        f"leave accumulate at 1 and give a smaller batch."
    )
