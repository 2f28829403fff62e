"""Heads: the small networks between a backbone and its loss."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn


def mlp(
    widths: Sequence[int],
    *,
    norm: bool = True,
    bias: bool = True,
    last_bias: bool | None = None,
    last_norm: str = "none",
) -> nn.Sequential:
    """Linear layers of the given widths with (batch norm and) ReLU between them.

    bias: whether the hidden linears have one; last_bias: the same of the last linear (like the others where None).
    last_norm: batch norm after the last linear: "none", "affine", "scale" (its offset frozen at 0) or "plain" (no
    scale, no offset).
    """
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(widths)):
        last = i == len(widths) - 2
        layers.append(nn.Linear(before, after, bias=bias if not last or last_bias is None else last_bias))
        if not last:
            layers += [nn.BatchNorm1d(after)] if norm else []
            layers.append(nn.ReLU(inplace=True))
    if last_norm != "none":
        layers.append(nn.BatchNorm1d(widths[-1], affine=last_norm != "plain"))
        if last_norm == "scale":
            layers[-1].bias.requires_grad_(False)
    return nn.Sequential(*layers)


def gelu_mlp(widths: Sequence[int], *, norm: bool = False) -> nn.Sequential:
    """Linear layers of the given widths with (batch norm and) GELU between them.

    Weights start normal with deviation 0.02, cut at 2; offsets start at 0.
    """
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        linear = nn.Linear(before, after)
        nn.init.trunc_normal_(linear.weight, std=0.02)
        nn.init.zeros_(linear.bias)
        layers += [linear, *([nn.BatchNorm1d(after)] if norm else []), nn.GELU()]
    return nn.Sequential(*layers[: -2 if norm else -1])
