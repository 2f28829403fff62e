"""DenseCL: a naive loop, MoCo where lambda is 0, cells in order, queue order, no gradient to keys."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.cells import matches
from twofold.methods.densecl import DenseCL
from twofold.seam import Progress, Views

from .small import NOW, Smooth, made, views_of


def run(views=None, now=NOW, base="moco", **settings):
    addition = DenseCL(**settings)
    method = made(base, [addition], Smooth).double()
    views = views or views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    method.before_step(now)
    record = method.observe(views, now)
    return method, addition, record, method.judge(record)


def naive(method, addition, record, i=0, j=1):
    """The dense loss as the paper says it, cell by cell, and the pooled keys."""
    heads = addition.dense.head.layers, addition.dense.twin.layers
    maps = record.student[i].map, record.teacher[j].map
    losses, pooled = [], []
    for b in range(len(maps[0])):
        query, key = (map[b].flatten(1).T for map in maps)  # P x C
        dense, target = (head(cells) for head, cells in zip(heads, (query, key), strict=True))
        pooled.append(F.normalize(target.mean(0), dim=0))
        for cell in range(len(query)):
            cosines = [F.cosine_similarity(query[cell], other, dim=0) for other in key]
            match = max(range(len(key)), key=lambda place: cosines[place])
            own = F.normalize(dense[cell], dim=0)
            positive = own @ F.normalize(target[match], dim=0)
            stored = addition.dense.queue.rows
            stored = stored[: addition.dense.queue.filled()] if method.mask_unfilled else stored
            logits = torch.cat([positive[None], stored @ own]) / method.temperature
            losses.append(F.cross_entropy(logits[None], torch.tensor([0])))
    return torch.stack(losses).mean(), torch.stack(pooled)


def test_the_loss_is_the_loop_over_cells_and_its_gradient():
    method, addition, record, losses = run(weight=0.3)
    expected, pooled = naive(method, addition, record)
    term = losses.terms["densecl"]
    assert term.weight == 0.3 and losses.terms["base"].weight == pytest.approx(0.7)
    assert_close(term.value, expected)
    parameters = [*method.student.backbone.parameters(), *addition.dense.head.parameters()]
    ours = torch.autograd.grad(term.value, parameters, retain_graph=True)
    for mine, theirs in zip(ours, torch.autograd.grad(expected, parameters), strict=True):
        assert_close(mine, theirs)
    method.after_step(NOW)
    # The second queue takes the pooled keys, not the cells that were matched.
    assert_close(addition.dense.queue.rows[: len(pooled)], pooled.detach())
    assert int(addition.dense.queue.pointer) == len(pooled)


def test_with_the_mask_the_second_queue_counts_only_where_it_holds_keys():
    addition = DenseCL()
    method = made("moco", [addition], Smooth, mask_unfilled=True).double()
    filled = []
    for step in range(3):
        now, views = Progress(step, 10), views_of(2, seed=step)
        views.tensors = [view.double() for view in views.tensors]
        method.before_step(now)
        record = method.observe(views, now)
        losses = method.judge(record)
        filled.append(int(addition.dense.queue.filled()))
        assert_close(losses.terms["densecl"].value, naive(method, addition, record)[0])
        assert losses.scalars["queue_filled"] * len(method.queue.rows) == filled[-1]
        method.after_step(now)
    assert filled == [0, 8, 16]


def test_a_symmetric_base_compares_both_ways_and_keeps_both_keys():
    method, addition, record, losses = run(base="moco-symmetric")
    (one, first), (other, second) = naive(method, addition, record, 0, 1), naive(method, addition, record, 1, 0)
    assert_close(losses.terms["densecl"].value, one + other)
    method.after_step(NOW)
    assert_close(addition.dense.queue.rows[:16], torch.cat([second, first]).detach())


@pytest.mark.parametrize("masked", [False, True])
def test_with_lambda_0_it_is_moco_bit_for_bit(masked):
    found = []
    for additions in ([], [DenseCL(weight=0.0)]):
        method = made("moco", additions, mask_unfilled=masked)
        optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], 0.1, momentum=0.9)
        for step in range(4):
            now = Progress(step, 10)
            method.before_step(now)
            method(views_of(2, seed=step), now).total.backward()
            optimizer.step()
            optimizer.zero_grad()
            method.after_step(now)
        found.append({k: v for k, v in method.state_dict().items() if "additions" not in k})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


@pytest.mark.parametrize("base", ["moco", "moco[shuffle]", "moco[split]"])
def test_cells_of_a_shuffled_batch_come_back_in_order(base):
    """With identical views and weights, every cell matches itself: keys that stay shuffled would be other images'."""
    same = views_of(1, batch=16)
    method = made(base, [DenseCL()], Smooth).double().eval()
    same.tensors = [same.tensors[0].double()] * 2
    record = method.observe(same, NOW)
    dense = method.additions[0].dense
    queries, keys = dense.student(record, 0), dense.teacher(record, record.teacher[1])
    assert torch.equal(matches(queries.backbone, keys.backbone), torch.arange(36).expand(16, -1))
    assert_close((queries.dense * keys.dense).sum(2), torch.ones(16, 36).double())


def test_the_momentum_forward_runs_the_twin():
    """An example elsewhere calls the student's own modules for its keys, which this would show."""
    method, addition, _, before = run()
    with torch.no_grad():
        for module in (method.teacher.backbone, addition.dense.twin):
            for parameter in module.parameters():
                parameter.mul_(-1.5)
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    after = method.judge(record)
    assert not torch.isclose(after.terms["densecl"].value, before.terms["densecl"].value, atol=1e-3)
    assert_close(after.terms["densecl"].value, naive(method, addition, record)[0])


def test_keys_have_no_gradient_and_their_order_does_not_matter():
    method, addition, record, losses = run()
    losses.total.backward()
    assert all(p.grad is None for module in (method.teacher, addition.dense.twin) for p in module.parameters())
    assert all(p.grad is not None for p in addition.dense.head.parameters())
    look = record.teacher[1]
    order = torch.randperm(36, generator=torch.Generator().manual_seed(1))
    turned = copy.copy(look)
    turned.map = look.map.flatten(2)[:, :, order].view_as(look.map)
    record.teacher[1] = turned
    assert_close(method.judge(record).terms["densecl"].value, losses.terms["densecl"].value)


def test_cells_may_be_pooled_to_a_coarser_grid():
    method, addition, record, losses = run(grid=2)
    for looks in (record.student, record.teacher):
        for look in looks.values():
            look.map = F.adaptive_avg_pool2d(look.map, 2)
    assert_close(losses.terms["densecl"].value, naive(method, addition, record)[0])


def test_lambda_waits_for_its_warmup():
    _, addition, _, early = run(now=Progress(1, 10), weight=1.0, warmup=0.2)
    assert early.terms["densecl"].weight == 0 and early.terms["base"].weight == 1
    assert addition.weight_at(Progress(2, 10)) == 1 and addition.base_scale(Progress(2, 10)) == 0
    with pytest.raises(UserError, match="give a warmup"):
        DenseCL(weight=1.0)
    with pytest.raises(UserError, match="weight must lie between 0 and 1"):
        DenseCL(weight=1.5)
    with pytest.raises(UserError, match="count from 0"):
        DenseCL(grid=-1)


def test_views_without_geometry_will_do():
    views = views_of(2)
    run(Views(views.tensors, [], views.index))
