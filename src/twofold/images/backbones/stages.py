"""The map of an earlier stage of a ResNet, beside the pooled feature of the last."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.nets.features import Features

Run = Callable[[nn.Module, Tensor], Features]
LAST = "layer4"


def stages_of(network: nn.Module, run: Run, stage: int, side: int, channels: int = 3) -> Run | None:
    """How to run a network for the map of a stage; None where it has no such stage, or its children do not follow one
    another as a ResNet's do. run: how it is run for its last map. side, channels: of a picture that it takes."""
    if not (hasattr(network, LAST) and hasattr(network, f"layer{stage}")):
        return None
    found = partial(run_stages, f"layer{stage}")
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            picture = torch.linspace(-1, 1, channels * side * side).view(1, channels, side, side)
            picture = picture.to(next(network.parameters()).device)
            alike = torch.equal(found(network, picture).pooled, run(network, picture).pooled)
    except (RuntimeError, TypeError, ValueError):  # children that do not follow one another
        alike = False
    finally:
        network.train(training)
    return found if alike else None


def run_stages(kept: str, network: Any, x: Tensor) -> Features:
    """The map of the child `kept`, and the pooled feature of the last stage."""
    map = None
    for name, child in network.named_children():
        x = child(x)
        map = x if name == kept else map
        if name == LAST:
            break
    of_timm = hasattr(network, "forward_head")
    pooled = network.forward_head(x, pre_logits=True) if of_timm else F.adaptive_avg_pool2d(x, 1)
    return Features(map, pooled.flatten(1))
