"""A step's updates: gradients are shortened bit by bit as torch does it, and left alone where that changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch

from twofold.seam import Losses, Method, Progress, Term
from twofold.training.distribution import make_fabric
from twofold.training.plan import Plan
from twofold.training.step import Updates


class Line(Method):
    """A weight whose gradient is given, and one that gets none."""

    def __init__(self, gradient: torch.Tensor) -> None:
        super().__init__()
        self.weight, self.idle = torch.nn.Parameter(torch.ones(5)), torch.nn.Parameter(torch.ones(2))
        self.gradient = gradient

    def forward(self, views: object, progress: Progress) -> Losses:
        return Losses({"line": Term(1.0, (self.weight * self.gradient).sum())}, None)


@pytest.mark.parametrize("norm", [0.1, 0.5 - 1e-6, 0.5 - 3e-7, 0.5, 0.5 + 1e-6, 70.0, float("nan"), float("inf")])
def test_gradients_are_shortened_as_torch_does_it(norm):
    gradient = torch.linspace(0.1, 1, 5)
    method = Line(gradient * norm / gradient.norm())
    plan = Plan(batch_size=2, steps=1, optimizer="sgd", lr=1.0, momentum=0.0, weight_decay=0.0, clip=0.5)
    fabric = make_fabric(1, accelerator="cpu")
    fabric.launch()
    other = copy.deepcopy(method)
    updates = Updates(method, plan, fabric, print)
    updates.gradients("", None, Progress(0, 1))
    updates._apply(updates.optimizers[""])
    other(None, Progress(0, 1)).total.backward()
    torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
    torch.optim.SGD(other.parameters(), 1.0, fused=True).step()
    assert torch.equal(method.weight.nan_to_num(), other.weight.nan_to_num())
    assert torch.equal(method.idle, torch.ones(2))
