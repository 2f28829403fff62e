"""Labelled pictures in the order of a training, and two sets of them with one numbering of the classes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.records import IGNORE, Instances, Labelled
from twofold.randomness import generator


def place(count: int, seed: int, position: int) -> int:
    """Which of `count` pictures comes at a position of the whole training: every one once in each epoch.

    Batches are parts of this endless row, so they run over the end of an epoch and every one is full.
    """
    epoch, inside = divmod(position, count)
    return _order(count, seed, epoch)[inside]


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    return torch.randperm(count, generator=generator(seed, "fine-tuning order", epoch)).tolist()


def hold_out(data: Labelled, seed: int, share: float = 0.2) -> tuple[Labelled, Labelled]:
    """(train, test): a share of the pictures held out, at least one of each. Raises UserError for a single picture."""
    if len(data) < 2:
        raise UserError(f"{data.name} has {len(data)} pictures, too few to hold some out: give others by --test.")
    order = torch.randperm(len(data), generator=generator(seed, "split")).tolist()
    cut = min(max(1, round(share * len(data))), len(data) - 1)
    return data.select(sorted(order[cut:])), data.select(sorted(order[:cut]))


def few(data: Labelled, share: float, seed: int) -> Labelled:
    """A share (0..1] of the pictures, at least two; with the same seed a smaller share is part of a larger one."""
    count = min(max(2, round(share * len(data))), len(data))
    order = torch.randperm(len(data), generator=generator(seed, "few labels")).tolist()
    return data if share == 1 else data.select(sorted(order[:count]))


def numbered_like(data: Labelled, classes: Sequence[str]) -> Labelled:
    """The data with its classes numbered as others are, by name. Raises UserError for a class that those lack."""
    if tuple(data.classes) == tuple(classes):
        return data
    number = {name: i for i, name in enumerate(classes)}
    strange = [name for name in data.classes if name not in number]
    if strange:
        raise UserError(
            f'{data.name} has the class "{strange[0]}", which the pictures to learn from do not have: give both the '
            f"same classes."
        )
    table = torch.tensor([number[name] for name in data.classes], dtype=torch.int64)

    def instances(i: int) -> Instances:
        found = data.instances(i)
        return replace(found, classes=table[found.classes])

    def mask(i: int) -> Tensor:
        found = data.mask(i)
        return torch.where(found >= 0, table[found.clamp(min=0).long()].to(found.dtype), IGNORE).to(found.dtype)

    return replace(
        data,
        classes=tuple(classes),
        read_mask=mask if data.has_masks else None,
        read_instances=instances if data.has_boxes else None,
    )
