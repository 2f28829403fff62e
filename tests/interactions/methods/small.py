"""What the tests of LightGCN and SGL share: a graph, triples of it, a moment of a run."""

from __future__ import annotations

import torch

from twofold.seam import Progress, Views

from ..graph_data import random_graph

DATA = random_graph()


def batch(seed=0):
    drawn = torch.Generator().manual_seed(seed)
    picked = DATA.pairs[torch.randint(0, len(DATA.pairs), (16,), generator=drawn)]
    return Views(
        [picked[:, 0], picked[:, 1], torch.randint(0, DATA.items, (16,), generator=drawn)], [], torch.arange(16)
    )


def at(step, epoch=0):
    return Progress(step, 100, epoch, 10, seed=3)
