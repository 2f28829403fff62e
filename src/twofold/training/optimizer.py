"""The optimizer of a plan: which parameters decay, which keep their rate, and the rate of each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from twofold.errors import UserError
from twofold.resources import bytes_in_words, require
from twofold.seam import Method, Update
from twofold.training.fsdp import share, take_whole_states
from twofold.training.lars import LARS
from twofold.training.plan import Plan


def build_optimizer(method: Method, plan: Plan) -> Optimizers:
    """The optimizers of a method, on the device where its parameters lie: of its updates, or the plan's over all."""
    updates = method.updates()
    return Several(updates, plan) if updates else build_one(method, plan)


def build_one(method: Method, plan: Plan) -> Optimizer:
    """The plan's optimizer over the trainable parameters of a method.

    SGD and Adam decay every parameter, as the official code does; LARS and AdamW spare biases and norm layers, which
    under LARS also take a trust ratio of 1. Groups marked "constant" keep the peak rate (`method.constant_rate()`).
    """
    constant_ids = {id(p) for p in method.constant_rate()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in method.parameters():
        if parameter.requires_grad:
            spared = plan.optimizer in ("lars", "adamw") and parameter.ndim <= 1
            groups.setdefault((spared, id(parameter) in constant_ids), []).append(parameter)
    if not groups:
        raise ValueError("The method has no trainable parameter.")
    described: list[dict[str, Any]] = []
    for (spared, constant), parameters in groups.items():
        group: dict[str, Any] = {"params": parameters, "constant": constant}
        if spared:
            group["weight_decay"] = 0.0
        if plan.optimizer == "lars":
            group["adapt"] = not spared
        described.append(group)
    trained = [parameter for group in groups.values() for parameter in group]
    kept = {"adam": 2, "adamw": 2, "lars": 1, "sgd": 1 if plan.momentum else 0}[plan.optimizer]
    size = sum(share(weight).nbytes for weight in trained)
    what = f"Gradients and the state of {plan.optimizer} for weights of {bytes_in_words(size)}"
    require((1 + kept) * size, what, "take a smaller network, or smaller settings of the method", trained[0].device)
    lr, decay = plan.peak_lr, plan.weight_decay
    if plan.optimizer == "lars":
        return LARS(described, lr, momentum=plan.momentum, weight_decay=decay, eta=plan.eta)
    shared = any(share(weight) is not weight for weight in trained)
    fused = not shared and all(p.device.type in ("cpu", "cuda") for p in trained)
    if plan.optimizer == "sgd":
        sgd = torch.optim.SGD(described, lr, momentum=plan.momentum, weight_decay=decay, fused=fused)
        if plan.momentum:
            # torch's fused step fails where some parameters get their first gradient later than others (TKC's do). A
            # momentum of zeros is what it begins with anyway.
            for parameter in trained:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        made: Optimizer = sgd
    else:
        kind = torch.optim.Adam if plan.optimizer == "adam" else torch.optim.AdamW
        made = kind(described, lr, weight_decay=decay, eps=plan.eps, fused=fused)
    made.register_load_state_dict_pre_hook(_as_here)
    if shared:
        take_whole_states(made)
    return made


def _as_here(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """A state whose steps are fused, and whose tensors are laid out, as devices and strategy have it here: a fused step
    goes through the memory of a weight and of its state alike."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    kept = {
        number: {name: _laid_out_like(weights[number], value) for name, value in parts.items()}
        for number, parts in state["state"].items()
    }
    groups = [
        {**group, "fused": own["fused"]}
        for group, own in zip(state["param_groups"], optimizer.param_groups, strict=True)
    ]
    return {"state": kept, "param_groups": groups}


def _laid_out_like(weight: Tensor, value: Any) -> Any:
    if not isinstance(value, Tensor) or value.shape != weight.shape or value.stride() == weight.stride():
        return value
    return torch.empty_strided(weight.shape, weight.stride(), dtype=value.dtype).copy_(value)


class Several:
    """The optimizers of a method that says itself what its steps update, by the name of the update. All are Adam."""

    def __init__(self, updates: Mapping[str, Update], plan: Plan) -> None:
        if plan.optimizer not in ("adam", "adamw"):
            raise UserError(f"This method makes its own updates, by adam or adamw, not by {plan.optimizer}.")
        if plan.weight_decay and any(update.lazy for update in updates.values()):
            raise UserError("Weights cannot decay where only rows with a gradient are updated: give --weight-decay 0.")
        kind = torch.optim.Adam if plan.optimizer == "adam" else torch.optim.AdamW
        self.by_name: dict[str, Optimizer] = {}
        for name, update in updates.items():
            group = {"params": list(update.parameters), "constant": update.lr is not None}
            lr = plan.peak_lr if update.lr is None else update.lr
            if update.lazy:
                self.by_name[name] = torch.optim.SparseAdam([group], lr, betas=update.betas, eps=plan.eps)
            else:
                self.by_name[name] = kind(
                    [group], lr, betas=update.betas, eps=plan.eps, weight_decay=plan.weight_decay, fused=True
                )

    def state_dict(self) -> dict[str, Any]:
        """The state of each."""
        return {name: optimizer.state_dict() for name, optimizer in self.by_name.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the state of each."""
        for name, optimizer in self.by_name.items():
            optimizer.load_state_dict(state[name])


Optimizers = Optimizer | Several


def set_rate(groups: Iterable[dict[str, Any]], rate: float, peak: float) -> None:
    """Give every parameter group the rate of this step; a constant one the peak."""
    for group in groups:
        group["lr"] = peak if group["constant"] else rate


def check_state(optimizer: Optimizers, state: Mapping[str, Any]) -> None:
    """Refuse, by a ValueError, an optimizer's state that would fail in the first step only."""
    if isinstance(optimizer, Several):
        for name, one in optimizer.by_name.items():
            check_state(one, state[name])
        return
    for own, other in zip(optimizer.state_dict()["param_groups"], state["param_groups"], strict=True):
        for name, value in own.items():
            if _kind(value) is not _kind(other[name]):
                raise ValueError(f"the optimizer's {name} cannot be meant")
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, parts in state["state"].items():
        for name, part in parts.items():
            if isinstance(part, Tensor) and part.ndim and part.shape != weights[number].shape:
                raise ValueError(f"the optimizer's {name} has another shape")
            if not isinstance(part, Tensor | int | float | None):
                raise ValueError(f"the optimizer's {name} cannot be meant")


def _kind(value: object) -> type:
    return float if type(value) is int else type(value)
