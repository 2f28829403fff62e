"""Which training pictures a probe holds out for its own choices: stretches of names, since neighbours look alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

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


def _groups(names: Sequence[str], order: Sequence[int]) -> list[list[int]]:
    found: dict[str, list[int]] = {}
    for i in order:
        stem = re.sub(r"(\.\w{2,5}|\.rf\.\w+(\.\w{2,5})?)$", "", names[i].lower())
        found.setdefault(re.sub(r"[-_ .]*\d+\D?$", "", stem), []).append(i)
    return list(found.values())


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
