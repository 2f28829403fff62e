"""Networks of the golden files, built from the shapes of their weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from twofold.nets.features import Features


class Flat(nn.Module):
    """A backbone on flat inputs: an optional linear layer, optionally with ReLU."""

    def __init__(self, weight: Tensor | None = None, bias: Tensor | None = None, width: int = 0, relu: bool = False):
        super().__init__()
        self.linear = nn.Identity() if weight is None else _linear(weight, bias)
        self.relu = nn.ReLU() if relu else nn.Identity()
        self.width = width if weight is None else len(weight)

    def forward(self, x: Tensor) -> Features:
        return Features(None, self.relu(self.linear(x)))


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None).double()
    layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    return layer


def tensors(file: Mapping[str, object], prefix: str) -> dict[str, Tensor]:
    """The arrays of a golden file whose names start with the prefix, without it, as tensors."""
    return {k[len(prefix) :]: torch.as_tensor(file[k]) for k in file if k.startswith(prefix)}


def fill(module: nn.Module, values: Mapping[str, Tensor], **settings: float) -> nn.Module:
    """Load parameters (buffers stay fresh) in float64, and set eps and momentum of the batch norms."""
    module.double()
    missing, unexpected = module.load_state_dict(values, strict=False)
    assert not unexpected, unexpected
    assert not [k for k in missing if "running" not in k and "num_batches" not in k], missing
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d):
            for name, value in settings.items():
                setattr(layer, name, value)
    return module
