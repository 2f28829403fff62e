"""TKC: the loss against an explicit loop, the calendar of snapshots, where gradient flows, what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.byol import BYOL
from twofold.methods.moco import MoCo
from twofold.methods.tkc import TKC
from twofold.seam import Progress, Situation

from .small import Tiny, made, views_of

STEPS, EPOCHS = 40, 10


def at(step):
    return Progress(step, STEPS, step * EPOCHS // STEPS, EPOCHS, seed=5)


def make(base="moco", **settings):
    torch.manual_seed(0)
    addition = TKC(**({"interval": 1} | settings))
    kinds = {
        "moco": lambda: MoCo(Tiny(), dim=8, queue=24, key_bn="plain", temperature=0.3, additions=[addition]),
        "byol": lambda: BYOL(Tiny(), hidden=16, dim=8, additions=[addition]),
    }
    return kinds[base]().double(), addition


def double_views(seed=0):
    views = views_of(2, seed=seed)
    views.tensors = [view.double() for view in views.tensors]
    return views


def run(base="moco", step=14, **settings):
    method, addition = make(base, **settings)
    with torch.no_grad():
        for slot, teacher in enumerate(addition.snapshots.ring):
            for parameter in teacher.parameters():
                parameter.add_(0.1 * (slot + 1) * torch.randn_like(parameter))
        for parameter in addition.transformer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    method.train()
    record = method.observe(double_views(), at(step))
    return method, addition, record, method.judge(record)


@pytest.mark.parametrize("base", ["moco", "byol"])
@pytest.mark.parametrize("adapter", ["residual", "plain", "identity"])
def test_the_loss_is_the_loop(base, adapter):
    method, addition, record, losses = run(base, adapter=adapter, bonus=0.1, temperature=0.3)
    parts, values = addition.transformer, []
    for i, j in record.directions:
        rows = F.normalize(record.student[i].row, dim=1)
        outputs = [teacher(record.views.tensors[j]).projection for teacher in addition.snapshots.ring]
        raw = [parts.importance(u)[:, 0] for u in outputs]
        if adapter == "identity":
            targets = [F.normalize(u, dim=1) for u in outputs]
        else:
            changed = parts.adapt(torch.cat([u + parts.slots[n] for n, u in enumerate(outputs)])).chunk(2)
            targets = [
                F.normalize(c + (u if adapter == "residual" else 0), dim=1)
                for u, c in zip(outputs, changed, strict=True)
            ]
        for b in range(len(rows)):
            exps = [math.exp(r[b].item()) for r in raw]
            weights = [e / sum(exps) for e in exps]
            value = 0.1 * sum(w * math.log(w) for w in weights)
            for w, v in zip(weights, targets, strict=True):
                shares = [math.exp((rows[b] @ v[k]).item() / 0.3) for k in range(len(rows))]
                value -= w * math.log(shares[b] / sum(shares))
            values.append(value)
    assert losses.terms["tkc"].value.item() == pytest.approx(sum(values) / len(values), abs=1e-9)
    losses.total.backward()
    assert all(p.grad is None for teacher in addition.snapshots.ring for p in teacher.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in parts.importance.parameters())
    if adapter != "identity":
        assert parts.slots.grad.abs().max() > 0 and all(p.grad is not None for p in parts.adapt.parameters())
    assert method.student.backbone.conv.weight.grad.abs().max() > 0


def test_the_transformer_starts_as_the_identity():
    _, addition = make()
    outputs = torch.randn(2, 8, 8, dtype=torch.float64)
    assert_close(addition.transformer(outputs)[0], F.normalize(outputs, dim=2))


def test_the_calendar_of_snapshots():
    method, addition = make(weight=2.0)
    # An epoch is 4 steps. The first snapshot is taken after 4 of 40 steps, and the weight grows over the next 4.
    assert addition.calendar(at(0)) == (4, 4)
    taken, weights = [], {}
    for step in range(STEPS):
        with torch.no_grad():
            method.teacher.projector[0].weight.fill_(step)
        losses = method(double_views(), at(step))
        if "tkc" in losses.terms:
            weights[step] = losses.terms["tkc"].weight
            assert ("tkc_entropy" in losses.scalars) == (step >= 8)
        method.after_step(at(step))
        taken.append([int(teacher.projector[0].weight[0, 0]) for teacher in addition.snapshots.ring])
    assert [weights.get(step) for step in (3, 4, 5, 6, 7, 8, 39)] == [None, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert taken[3][0] == 3 and taken[7] == [3, 7] and taken[11] == [11, 7] and taken[15] == [11, 15]
    assert taken[-1] == [35, 31]


def test_early_networks_are_not_kept():
    addition = TKC(interval=1)
    # 100 epochs of one step: those of the first 5 are skipped.
    assert addition.calendar(Progress(0, 100, 0, 100)) == (1, 5)
    assert TKC().calendar(Progress(0, 100, 0, 100)) == (10, 10)
    assert TKC().calendar(Progress(0, 12, 0, 3)) == (4, 4)


def test_snapshots_are_in_evaluation_mode_and_in_the_checkpoint():
    method, addition = make()
    method.train()
    assert not any(module.training for module in addition.snapshots.modules())
    stored = method.state_dict()
    assert "additions.0.snapshots.ring.1.backbone.norm.running_mean" in stored
    record = method.observe(double_views(), at(3))
    with torch.no_grad():
        method.teacher.backbone.norm.running_mean.fill_(3.0)
    addition.finish(record)
    assert (addition.snapshots.ring[0].backbone.norm.running_mean == 3).all()
    assert (addition.snapshots.ring[1].backbone.norm.running_mean != 3).all()


def test_the_student_may_be_what_is_kept():
    method, addition = make("byol", snapshot_of="student")
    with torch.no_grad():
        method.student.backbone.conv.bias.fill_(7.0)
    addition.finish(method.observe(double_views(), at(3)))
    kept = addition.snapshots.ring[0]
    assert (kept.backbone.conv.bias == 7).all()
    record = method.observe(double_views(), at(6))
    heard = []
    addition.transformer.register_forward_hook(lambda _, outputs, __: heard.append(outputs[0]))
    method.judge(record).total.backward()
    # Its projections are what it says, not its predictions.
    assert_close(heard[0][0], kept(record.views.tensors[1]).projection)


def test_the_temperature_is_the_bases_where_it_has_one():
    assert make()[1].temperature == 0.3 and make("byol")[1].temperature == 0.2
    assert make(temperature=0.7)[1].temperature == 0.7


def test_what_is_said_and_refused():
    with pytest.raises(UserError, match="SimCLR has no EMA teacher"):
        made("simclr", [TKC()])
    with pytest.raises(UserError, match="teachers must be a number above 0"):
        TKC(teachers=0)
    with pytest.raises(UserError, match="interval must be a number above 0"):
        TKC(interval=-1.0)
    method, addition = make(interval=None)
    notes = addition.notes(method, Situation(count=160, batch_size=16, steps=10))
    assert any("few, 64" in note for note in notes) and any("this run ends before" in note for note in notes)
    assert addition.notes(method, Situation(count=6400, batch_size=64, steps=10_000)) == []
    assert addition.alarms({"tkc_entropy": 0.1}) and not addition.alarms({"tkc_entropy": 0.9})
