"""Two views of a graph by dropping parts of it: edges, nodes, or other edges in every layer (SGL, section 3.1)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from twofold.interactions.graph import adjacency
from twofold.randomness import generator

Augmentation = Literal["ed", "nd", "rw"]


def drop_edges(pairs: Tensor, ratio: float, drawn: torch.Generator) -> Tensor:
    """int(E (1 - ratio)) of the pairs (E, 2), uniformly without replacement (edge dropout, equation 5)."""
    keep = int(len(pairs) * (1 - ratio))
    return pairs[torch.randperm(len(pairs), generator=drawn)[:keep].to(pairs.device)]


def drop_nodes(pairs: Tensor, users: int, items: int, ratio: float, drawn: torch.Generator) -> Tensor:
    """The pairs that are left without int(users ratio) users and int(items ratio) items (node dropout, equation 4)."""
    gone = [torch.randperm(count, generator=drawn)[: int(count * ratio)] for count in (users, items)]
    return without(pairs, users, items, *(nodes.to(pairs.device) for nodes in gone))


def without(pairs: Tensor, users: int, items: int, dropped_users: Tensor, dropped_items: Tensor) -> Tensor:
    """The pairs of which neither the user nor the item is dropped."""
    user_stays = torch.ones(users, dtype=torch.bool, device=pairs.device).index_fill_(0, dropped_users, False)
    item_stays = torch.ones(items, dtype=torch.bool, device=pairs.device).index_fill_(0, dropped_items, False)
    return pairs[user_stays[pairs[:, 0]] & item_stays[pairs[:, 1]]]


def draw_view(
    pairs: Tensor,
    users: int,
    items: int,
    *,
    kind: Augmentation,
    ratio: float,
    layers: int,
    seed: int,
    keys: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    """The adjacency of each layer of one view, normalised by the view's own degrees; a function of (seed, keys).

    "ed" and "nd" have one graph for all layers; "rw" drops edges anew in each layer (equation 6).
    """
    drawn = generator(seed, "graph view", *keys)
    if kind == "rw":
        return [adjacency(drop_edges(pairs, ratio, drawn), users, items, dtype) for _ in range(layers)]
    kept = drop_edges(pairs, ratio, drawn) if kind == "ed" else drop_nodes(pairs, users, items, ratio, drawn)
    return [adjacency(kept, users, items, dtype)] * layers
