"""LARS: Large Batch Training of Convolutional Networks (You et al., 2017), as SimCLR and BYOL use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

Tensors = list[Tensor] | tuple[Tensor, ...]


class LARS(Optimizer):
    """SGD with momentum whose rate is scaled for each tensor by trust = eta ||w|| / ||g||.

    g <- gradient + weight_decay w. "classic": v <- momentum v + lr trust g; w <- w - v, with trust from g (the SimCLR
    repository). "popular": v <- momentum v + g; w <- w - lr trust v, with trust from v. trust is 1 where either norm is
    0, and in groups with adapt=False (biases and batch norm, which take no weight decay either).
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eta: float = 0.001,
        variant: Literal["classic", "popular"] = "classic",
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta, "adapt": True}
        super().__init__(params, settings | {"variant": variant})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step from the gradients at hand. Takes no closure."""
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            updates: Tensors = [p.grad for p in weights]
            velocity = [self._velocity(p) for p in weights]
            if group["weight_decay"]:
                updates = torch._foreach_add(updates, weights, alpha=group["weight_decay"])
            torch._foreach_mul_(velocity, group["momentum"])
            if group["variant"] == "classic":
                torch._foreach_add_(velocity, self._scaled(weights, updates, group))
                torch._foreach_sub_(weights, velocity)
            else:
                torch._foreach_add_(velocity, updates)
                torch._foreach_sub_(weights, self._scaled(weights, velocity, group))

    def _velocity(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(weight)
        return state["velocity"]

    @staticmethod
    def _scaled(weights: Tensors, updates: Tensors, group: dict[str, Any]) -> Tensors:
        if not group["adapt"]:
            return torch._foreach_mul(updates, group["lr"])
        trust = trust_ratios(weights, updates, group["eta"])
        return torch._foreach_mul(updates, list((trust * group["lr"]).unbind()))


def trust_ratios(weights: Tensors, updates: Tensors, eta: float) -> Tensor:
    """eta ||w|| / ||g|| of two tensors, N times, (N,); 1 where either norm is 0."""
    own, theirs = torch.stack(torch._foreach_norm(weights)), torch.stack(torch._foreach_norm(updates))
    return torch.where((own > 0) & (theirs > 0), eta * own / theirs, 1.0)
