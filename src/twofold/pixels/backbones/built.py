"""What each source of networks hands over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from twofold.nets.features import Features


@dataclass(frozen=True)
class Built:
    """A network without its classifier, how to run it, and how to make it again without twofold.

    source: "torchvision", "timm", "twofold" or "own". name: the name inside the source. lines: Python that leaves the
    untrained network in `model`, `model(x)` being the pooled feature. pretrained: a state dict to start from, or None.
    """

    network: nn.Module
    features: Callable[[nn.Module, Tensor], Features]
    source: str
    name: str
    lines: list[str]
    pretrained: dict[str, Tensor] | None = field(default=None, repr=False)


def call(name: str, *positional: str, **settings: object) -> str:
    """The text of a Python call."""
    return f"{name}({', '.join([*positional, *(f'{k}={v!r}' for k, v in settings.items())])})"
