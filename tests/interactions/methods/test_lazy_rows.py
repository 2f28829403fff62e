"""Matrix factorisation whose steps update the rows of their batch alone, against the dense one and a naive loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from twofold.errors import UserError
from twofold.interactions.graph import Bipartite
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.seam import Progress, Situation, Views
from twofold.training.distribution import make_fabric
from twofold.training.optimizer import build_optimizer
from twofold.training.plan import Plan
from twofold.training.step import Updates

USERS, ITEMS, RATE = 9, 12, 0.05
PAIRS = torch.tensor([[user, (3 * user + step) % ITEMS] for user in range(USERS) for step in range(3)])
PLAN = Plan(batch_size=4, steps=9, optimizer="adam", lr=RATE, weight_decay=0.0, schedule="constant")


def method(lazy=True, items=ITEMS, **settings):
    torch.manual_seed(0)
    return LightGCN(Bipartite(PAIRS, USERS, items), dim=5, layers=0, lazy=lazy, regularisation=0.1, **settings).double()


def batch(step):
    """Users 0 to 3 at most, of whom one comes twice, and items that come on both sides."""
    users = torch.tensor([step % 3, 3, step % 3, 1])
    return Views([users, (users + step) % 6, (users + 2 * step + 1) % 6], [], torch.arange(4))


def updates(made):
    return Updates(made, PLAN, make_fabric(1, accelerator="cpu"), say=print)


def test_loss_and_gradients_are_those_of_the_dense_one():
    lazy, dense = method(), method(lazy=False)
    for made in (lazy, dense):
        made(batch(1), Progress(0, 1)).total.backward()
    assert lazy(batch(1), Progress(0, 1)).total == dense(batch(1), Progress(0, 1)).total
    for ours, theirs in zip(lazy.parameters(), dense.parameters(), strict=True):
        assert ours.grad.is_sparse
        assert_close(ours.grad.to_dense(), theirs.grad)


def test_steps_are_adams_on_the_rows_that_have_a_gradient_and_leave_others_as_they_are():
    made, naive = method(), method(lazy=False)
    tables = [parameter.detach().clone() for parameter in naive.parameters()]
    first, second = ([torch.zeros_like(table) for table in tables] for _ in range(2))
    step_of = updates(made)
    for step in range(6):
        step_of(batch(step), Progress(step, 6), RATE)
        with torch.no_grad():
            for own, table in zip(naive.parameters(), tables, strict=True):
                own.copy_(table)
        naive.zero_grad()
        naive(batch(step), Progress(step, 6)).total.backward()
        for table, mean, square, own in zip(tables, first, second, naive.parameters(), strict=True):
            for row in range(len(table)):
                if not own.grad[row].any():
                    continue
                mean[row] = 0.9 * mean[row] + 0.1 * own.grad[row]
                square[row] = 0.999 * square[row] + 0.001 * own.grad[row] ** 2
                rate = RATE * math.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
                table[row] -= rate * mean[row] / (square[row].sqrt() + 1e-8)
    for ours, theirs, before in zip(made.parameters(), tables, method().parameters(), strict=True):
        assert_close(ours.detach(), theirs)
        assert torch.equal(ours[8:], before[8:]) and not torch.equal(ours[:4], before[:4])


class Largest(TorchDispatchMode):
    """Notes the numbers in the largest tensor that is made."""

    def __init__(self):
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = {id(one) for one in args}
        for one in made if isinstance(made, tuple | list) else [made]:
            if isinstance(one, torch.Tensor) and id(one) not in given and not one.is_sparse and one._base is None:
                self.most = max(self.most, one.numel())
        return made


@pytest.mark.parametrize(("lazy", "grows"), [(True, False), (False, True)], ids=["lazy", "dense"])
def test_what_a_step_makes_does_not_grow_with_the_number_of_items(lazy, grows):
    most = []
    for items in (50, 5000):
        made = method(lazy, items)
        step_of = updates(made)
        step_of(batch(0), Progress(0, 2), RATE)  # the optimizer makes its state in the first
        with Largest() as largest:
            step_of(batch(1), Progress(1, 2), RATE)
        most.append(largest.most)
    assert (most[1] > most[0]) == grows


def test_what_does_not_go_with_it_is_refused():
    with pytest.raises(UserError, match="lazy needs layers 0, not 2"):
        LightGCN(Bipartite(PAIRS, USERS, ITEMS), layers=2, lazy=True)
    with pytest.raises(UserError, match="give --devices 1"):
        method().check(Situation(27, 4, devices=2))
    with pytest.raises(UserError, match="give --weight-decay 0"):
        build_optimizer(method(), Plan(batch_size=4, steps=9, optimizer="adam", lr=RATE, weight_decay=0.1))
    with pytest.raises(UserError, match="by adam or adamw, not by sgd"):
        build_optimizer(method(), Plan(batch_size=4, steps=9, optimizer="sgd", lr=RATE))
