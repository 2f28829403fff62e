"""LightGCN and SGL: losses and gradients against dense formulas, views by epoch, the plateau, what is refused."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.interactions.methods.lightgcn import LightGCN
from twofold.interactions.methods.sgl import SGL
from twofold.seam import Progress, Situation, Views

from ..graph_data import dense, random_graph

DATA = random_graph()


def batch(seed=0):
    drawn = torch.Generator().manual_seed(seed)
    picked = DATA.pairs[torch.randint(0, len(DATA.pairs), (16,), generator=drawn)]
    return Views(
        [picked[:, 0], picked[:, 1], torch.randint(0, DATA.items, (16,), generator=drawn)], [], torch.arange(16)
    )


def at(step, epoch=0):
    return Progress(step, 100, epoch, 10, seed=3)


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


def unit(view, rows):
    power, total = rows, rows
    for matrix in view:
        power = matrix.to_dense() @ power
        total = total + power
    return F.normalize(total / (len(view) + 1), dim=1)


@pytest.mark.parametrize("augmentation", ["ed", "nd", "rw"])
@pytest.mark.parametrize(
    ("negatives", "sides"), [("full", "both"), ("full", "user"), ("batch", "item"), ("merge", "both")]
)
def test_the_contrast_is_the_loop(augmentation, negatives, sides):
    torch.manual_seed(0)
    method = SGL(DATA, dim=6, layers=2, augmentation=augmentation, ratio=0.3, negatives=negatives, sides=sides).double()
    method.before_step(at(0))
    views = batch()
    found = method(views, at(0)).terms["contrast"]
    first, second = (unit(view, method.backbone()) for view in method.views)
    nodes = {"user": views.tensors[0].tolist(), "item": [DATA.users + i for i in views.tensors[1].tolist()]}
    chosen = ["user", "item"] if sides == "both" else [sides]
    everything = {"user": range(DATA.users), "item": range(DATA.users, DATA.users + DATA.items)}
    jobs = [(nodes[side], everything[side]) for side in chosen]
    if negatives == "batch":
        jobs = [(sorted(set(nodes[side])),) * 2 for side in chosen]
    elif negatives == "merge":
        jobs = [(sorted(set(nodes["user"]) | set(nodes["item"])),) * 2]
    total = 0.0
    for anchors, candidates in jobs:
        values = []
        for n in anchors:
            shares = {c: math.exp((first[n] @ second[c]).item() / 0.2) for c in candidates}
            values.append(-math.log(shares[n] / sum(shares.values())))
        total += sum(values) / len(values)
    assert found.value.item() == pytest.approx(total, rel=1e-9) and found.weight == 0.1
    found.value.backward()
    assert method.backbone.user.grad.abs().max() > 0


def test_views_are_new_for_every_epoch_and_the_same_again():
    method = SGL(DATA, dim=4, layers=1)
    seen = []
    for step, epoch in ((0, 0), (1, 0), (2, 1), (0, 0)):
        method.before_step(at(step, epoch))
        seen.append([view[0].to_dense() for view in method.views])
    assert not torch.equal(seen[0][0], seen[0][1])
    assert torch.equal(seen[0][0], seen[1][0]) and torch.equal(seen[0][0], seen[3][0])
    assert not torch.equal(seen[0][0], seen[2][0])


def test_isolated_nodes_keep_a_third_of_their_row_and_agree_with_themselves():
    alone = DATA._replace(users=DATA.users + 1)
    method = SGL(alone, dim=4, layers=2, augmentation="nd", ratio=0.2).double()
    method.before_step(at(0))
    user, _ = method.represent()
    assert_close(user[-1], method.backbone.user[-1] / 3)
    rows = [unit(view, method.backbone())[alone.users - 1] for view in method.views]
    assert (rows[0] @ rows[1]).item() == pytest.approx(1.0)


def test_auto_negatives_go_by_size():
    method = SGL(DATA)
    assert method.candidates(2048) == "full" and method.candidates(10**6) == "batch"
    assert "(full)" in method.notes(Situation(count=100, batch_size=64))[0]


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
    ("make", "said"),
    [
        (lambda: LightGCN(DATA, dim=0), "dim must be a number above 0"),
        (lambda: LightGCN(DATA, layers=-1), "layers and regularisation must be at least 0"),
        (lambda: SGL(DATA, ratio=1.0), "ratio must be below 1"),
        (lambda: SGL(DATA, temperature=0.0), "temperature must be a number above 0"),
        (lambda: SGL(DATA, negatives="merge", sides="user"), "leave sides at both"),
    ],
)
def test_what_is_refused(make, said):
    with pytest.raises(UserError) as caught:
        make()
    assert said in str(caught.value)


def test_initialisation():
    big = random_graph(400, 300, 0.01)
    normal, xavier = LightGCN(big, dim=64), LightGCN(big, dim=64, init="xavier")
    assert normal.backbone.user.std().item() == pytest.approx(0.1, rel=0.05)
    bound = math.sqrt(6 / (400 + 64))
    assert xavier.backbone.user.abs().max().item() == pytest.approx(bound, rel=0.01)
