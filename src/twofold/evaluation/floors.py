"""The floor that an untrained network is: what a trained one has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from twofold.randomness import derive

Network = TypeVar("Network", bound=nn.Module)


def untrained(make: Callable[[], Network], views: Iterable[Tensor], device: torch.device | str, seed: int) -> Network:
    """A network that `make` makes, with random weights, its batch norms set to the statistics of a few batches.

    With the statistics of an untrained network (0, 1) evaluation mode would not normalise at all, and the floor would
    be too low; so a few batches pass in training mode first and their plain average is kept.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "random network"))
        network = make()
    network.to(device).eval()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return network
    for norm in norms:
        norm.train().momentum = None  # a plain average over the batches
    for view in views:
        with torch.no_grad():
            network(view)
    return network.eval()
