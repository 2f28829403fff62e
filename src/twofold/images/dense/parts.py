"""Which labelled pictures are held out: whole stretches of names, since neighbours among them look alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.images.labels.records import IGNORE, Instances, Labelled
from twofold.randomness import generator

SHARE = 5  # one part in so many is held out
STRETCHES = 20  # into which the names are cut where they form fewer groups


def held_out(names: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """(learn from, hold out): a fifth of the pictures, at least one of each, both in their order.

    Frames of one clip and copies of one picture stay on one side: names that differ in their last number, or in what
    follows `.rf.`, form a group, and whole groups are drawn; where there are fewer than ten groups, stretches of
    neighbouring names are.
    """
    order = sorted(range(len(names)), key=lambda i: _natural(names[i]))
    groups = _groups(names, order)
    if len(groups) < 2 * SHARE:
        size = max(len(order) // STRETCHES, 1)
        groups = [order[start : start + size] for start in range(0, len(order), size)]
    drawn = torch.randperm(len(groups), generator=generator(seed, "held-out pictures")).tolist()
    hold: list[int] = []
    for number in drawn:
        if hold and len(hold) + len(groups[number]) / 2 > len(names) / SHARE:
            continue
        if len(hold) + len(groups[number]) < len(names):
            hold += groups[number]
    chosen = set(hold)
    return [i for i in range(len(names)) if i not in chosen], sorted(hold)


def split(data: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """(train, test) of one set of labelled pictures, by `held_out`."""
    learn, hold = held_out(data.names, seed)
    return data.select(learn), data.select(hold)


def same_classes(test: Labelled, train: Labelled) -> Labelled:
    """The test pictures with the training pictures' numbers of classes, by name. Raises UserError for unknown names."""
    if test.classes == train.classes:
        return test
    strange = [name for name in test.classes if name not in train.classes]
    if strange:
        raise UserError(
            f'{test.name} has the class "{strange[0]}", which {train.name} lacks: name the same classes in both.'
        )
    number = torch.tensor([train.classes.index(name) for name in test.classes])
    masks, instances = test.read_mask, test.read_instances

    def mask(i: int) -> Tensor:
        assert masks
        found = masks(i)
        return torch.where(found == IGNORE, IGNORE, number[found.long().clamp(min=0)]).to(found.dtype)

    def boxes(i: int) -> Instances:
        assert instances
        found = instances(i)
        return replace(found, classes=number[found.classes])

    return replace(
        test, classes=train.classes, read_mask=mask if masks else None, read_instances=boxes if instances else None
    )


def _groups(names: Sequence[str], order: Sequence[int]) -> list[list[int]]:
    found: dict[str, list[int]] = {}
    for i in order:
        stem = re.sub(r"(\.\w{2,5}|\.rf\.\w+(\.\w{2,5})?)$", "", names[i].lower())
        found.setdefault(re.sub(r"[-_ .]*\d+\D?$", "", stem), []).append(i)
    return list(found.values())


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
