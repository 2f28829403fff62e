"""The seam of joint embedding: an addition that uses every hook, laid over every base of the catalog."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from twofold.methods.addition import Addition
from twofold.methods.build import load
from twofold.seam import Term, Views

from ..tiny import BASES, SYSTEMS, ClipNet, kind_of
from .small import NOW, Tiny, made, views_of

COMPARING = [name for name in BASES if load(SYSTEMS[name].base).directions]
AGAINST_OTHERS = [name for name in BASES if load(SYSTEMS[name].base).contrast in ("queue", "keys")]


class Everything(Addition):
    """Uses every hook, and counts the calls."""

    extra_views = 1

    def __init__(self):
        super().__init__()
        self.calls = []

    def join(self, method):
        self.head = nn.Linear(4, 2)
        self.twin = method.twin(self.head)
        self.calls.append("join")

    def show(self, shown, views, progress):
        return [x + 1 for x in shown]

    def negatives(self, record, student_rows, teacher_rows):
        return F.normalize(student_rows.new_ones(len(student_rows), 2, student_rows.shape[1]), dim=2)

    def terms(self, record):
        extra = record.look(record.views.tensors[self.first_extra_view])
        target = record.teach(record.views.tensors[self.first_extra_view])
        gap = self.head(extra.feature).sub(self.twin(target.feature)).square().mean()
        both = record.compare(record.student[0].row, record.teacher[1].row).mean()
        return {"gap": Term(0.5, gap), "again": Term(0.0, both)}

    def base_scale(self, progress):
        return 0.25

    def scalars(self, record):
        return {"views": torch.tensor(float(len(record.views)))}

    def finish(self, record):
        self.calls.append(f"finish {record.progress.step}")


@pytest.mark.parametrize("name", COMPARING)
def test_an_addition_with_every_hook_works_over_every_base(name):
    addition = Everything()
    method = made(name, [addition])
    count = method.compared_views
    assert method.view_count == count + 1 and addition.first_extra_view == count
    method.before_step(NOW)
    losses = method(views_of(count + 1), NOW)
    assert set(losses.terms) == {"base", "gap", "again"}
    assert losses.terms["base"].weight == 0.25 and losses.scalars["views"] == count + 1
    expected = sum(term.weight * term.value for term in losses.terms.values())
    torch.testing.assert_close(losses.total, expected)
    losses.total.backward()
    assert addition.head.weight.grad is not None
    twin_before = addition.twin.weight.clone()
    with torch.no_grad():
        addition.head.weight.add_(1)
    method.after_step(NOW)
    method.before_step(NOW)
    assert addition.calls == ["join", f"finish {NOW.step}"]
    if method.momentum_teacher:
        assert addition.twin is not addition.head
        moved = (addition.twin.weight - twin_before).abs().max()
        assert 0 < moved < 0.2
    else:
        assert addition.twin is addition.head


def ready(name):
    """A base with the network of its kind of data, and views for it."""
    videos = kind_of(name) == "videos"
    method = made(name, network=ClipNet if videos else Tiny)
    return method, views_of(method.view_count, frames=4 * videos, pretext=method.pretext)


@pytest.mark.parametrize("name", BASES)
def test_a_step_leaves_nothing_behind_but_the_state(name):
    method, views = ready(name)
    before = dict(vars(method))
    method.before_step(NOW)
    method(views, NOW)
    assert method.record is not None
    method.after_step(NOW)
    assert vars(method).keys() == before.keys() and method.record is None


@pytest.mark.parametrize("name", AGAINST_OTHERS)
def test_extra_negatives_reach_the_comparison(name):
    plain, more = made(name).double(), made(name, [Everything()]).double()
    more.load_state_dict(plain.state_dict(), strict=False)
    shown = views_of(3)
    shown.tensors = [x.double() - 1 for x in shown.tensors]
    record = more.observe(shown, NOW)
    more.judge(record)
    rows, keys = record.student[0].row, record.teacher[1].row
    assert (record.compare(rows, keys) > plain.observe(shown, NOW).compare(rows, keys)).all()


@pytest.mark.parametrize("name", BASES)
def test_where_the_gradient_stops(name):
    method, views = ready(name)
    method.before_step(NOW)
    record = method.observe(views, NOW)
    targets = [record.teacher[j].row for _, j in record.directions]
    assert all(rows.requires_grad == (method.teacher_kind == "student") for rows in targets)
    assert all(record.student[i].row.requires_grad for i, _ in record.directions)


@pytest.mark.parametrize("name", BASES)
def test_shuffling_the_batch_changes_nothing_but_the_order(name):
    method, views = ready(name)
    method.double()
    views.tensors = [x.double() for x in views.tensors]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    if name.startswith(("wmse", "triplet")):
        order = torch.arange(8)  # groups, or negatives, are chosen by place
    turned = Views([x[order] for x in views.tensors], [], views.index[order], views.task and views.task.rows(order))
    totals = []
    for given in (views, turned):
        method.before_step(NOW)
        totals.append(method(given, NOW).total)
    torch.testing.assert_close(*totals, rtol=1e-9, atol=1e-9)
