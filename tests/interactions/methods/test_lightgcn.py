"""LightGCN: loss and gradient against dense formulas, the start plateau, what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.seam import Views

from ..graph_data import dense, random_graph
from .small import DATA, at, batch


@pytest.mark.parametrize("layers", [0, 2])
def test_lightgcn_is_the_dense_formula(layers):
    torch.manual_seed(0)
    method = LightGCN(DATA, dim=6, layers=layers, regularisation=0.1).double()
    views = batch()
    losses = method(views, at(0))
    a, rows = dense(DATA), method.backbone()
    z, power = rows, rows
    for _ in range(layers):
        power = a @ power
        z = z + power
    z = z / (layers + 1)
    users, positives, negatives = views.tensors
    gap = (z[users] * (z[DATA.users + positives] - z[DATA.users + negatives])).sum(1)
    raw = [rows[users], rows[DATA.users + positives], rows[DATA.users + negatives]]
    expected = -gap.sigmoid().log().mean() + 0.1 * sum(r.square().sum() for r in raw) / 2 / 16
    assert_close(losses.total, expected)
    ours, theirs = (torch.autograd.grad(value, method.backbone.user)[0] for value in (losses.total, expected))
    assert_close(ours, theirs)
    assert losses.rows is None


def test_the_plateau_is_noticed_and_left_once():
    stuck = LightGCN(DATA, dim=4, init="xavier")
    stuck(batch(), at(5, 2))
    assert stuck.plateau_left(7) == 7
    row = {"step": 500.0, "loss/bpr": 0.69}
    assert "init normal" in stuck.alarms(row)[0]
    assert stuck.alarms(row | {"step": 499.0}) == [] and stuck.alarms(row | {"loss/bpr": 0.6}) == []
    free = LightGCN(DATA, dim=4, layers=0)
    with torch.no_grad():
        free.backbone.user.fill_(3.0)
        users, positives, _ = batch().tensors
        free.backbone.item.zero_()
        free.backbone.item[positives] = 3.0
    free(Views([users, positives, torch.full_like(users, int(set(range(30)).difference(positives.tolist()).pop()))], [],
               torch.arange(16)), at(5, 2))  # fmt: skip
    free(batch(1), at(9, 4))
    assert free.plateau_left(7) == 2 and int(free.state_dict()["left_in"]) == 2
    assert "pairs" not in free.state_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LightGCN(DATA, dim=0), "dim must be a number above 0"),
        (lambda: LightGCN(DATA, layers=-1), "layers and regularisation must be at least 0"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)


def test_initialisation():
    big = random_graph(400, 300, 0.01)
    normal, xavier = LightGCN(big, dim=64), LightGCN(big, dim=64, init="xavier")
    assert normal.backbone.user.std().item() == pytest.approx(0.1, rel=0.05)
    bound = math.sqrt(6 / (400 + 64))
    assert xavier.backbone.user.abs().max().item() == pytest.approx(bound, rel=0.01)
