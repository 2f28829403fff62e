"""SGL: the contrast against loops, views by epoch, what "auto" takes, what is refused."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.interactions.methods.sgl import SGL
from twofold.seam import Situation

from .small import DATA, at, batch


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGL(DATA, ratio=1.0), "ratio must be below 1"),
        (lambda: SGL(DATA, temperature=0.0), "temperature must be a number above 0"),
        (lambda: SGL(DATA, negatives="merge", sides="user"), "leave sides at both"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)
