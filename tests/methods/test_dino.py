"""DINO: its loss against a loop over views and outputs, views of two sizes, centre, schedules, the last layer."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.dino import DINO
from twofold.seam import Progress, Views

from .small import NOW, Tiny, views_of


def softmax(values):
    exps = [math.exp(value) for value in values]
    return [value / sum(exps) for value in exps]


def crops(small=3):
    large = views_of(2).tensors
    drawn = torch.Generator().manual_seed(9)
    return Views(
        [x.double() for x in large] + [torch.randn(8, 3, 4, 4, generator=drawn).double() for _ in range(small)],
        [],
        torch.arange(8),
    )


def make(small=3, **settings):
    torch.manual_seed(0)
    method = DINO(Tiny(), hidden=16, dim=6, prototypes=10, local_views=small, **settings).double()
    with torch.no_grad():
        method.center.copy_(torch.linspace(-0.2, 0.3, 10))
        for parameter in [*method.teacher.parameters(), *method.teacher_prototypes.parameters()]:
            parameter.add_(0.1 * torch.randn_like(parameter))
    return method


def by_hand(rows, weight):
    """Cosines of each row with each output's row, as lists."""

    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    return [[cosine(row, output) for output in weight.tolist()] for row in rows.tolist()]


def test_every_view_guesses_each_large_one_but_itself():
    method = make(temperature=0.2, teacher_temperature=0.08, start_temperature=0.04, temperature_warmup=0.6)
    record = method.observe(crops(), NOW)
    losses = method.judge(record)
    assert record.directions == ((0, 1), (1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1))
    assert method.view_count == 5
    # NOW is step 3 of 10, half of the warm-up.
    heat, center, values, entropies = 0.06, method.center.tolist(), [], []
    for i, j in record.directions:
        outputs = by_hand(record.teacher[j].projection, method.teacher_prototypes.weight)
        guessed = by_hand(record.student[i].projection, method.prototypes.weight)
        for s, g in zip(outputs, guessed, strict=True):
            target = softmax([(x - c) / heat for x, c in zip(s, center, strict=True)])
            values.append(-sum(t * math.log(p) for t, p in zip(target, softmax([x / 0.2 for x in g]), strict=True)))
            if i in (0, 1):
                entropies.append(-sum(t * math.log(t) for t in target) / math.log(10))
    assert losses.total.item() == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert losses.scalars["target_entropy"].item() == pytest.approx(sum(entropies) / len(entropies), abs=1e-9)
    each = [record.compare(record.student[i].row, record.teacher[j].row).mean() for i, j in record.directions]
    assert_close(losses.total, torch.stack(each).mean())


def test_views_of_one_size_share_a_pass_and_the_teacher_sees_the_large_ones():
    method, views = make(), crops()
    record = method.observe(views, NOW)
    assert sorted(record.student) == [0, 1, 2, 3, 4] and sorted(record.teacher) == [0, 1]
    fresh = make()
    large = fresh.student(torch.cat(views.tensors[:2]))
    small = fresh.student(torch.cat(views.tensors[2:]))
    assert_close(record.student[1].projection, large.projection[8:])
    assert_close(record.student[3].projection, small.projection[8:16])
    assert_close(record.student[3].map, small.map[8:16])
    assert_close(record.teacher[0].projection, fresh.teacher(torch.cat(views.tensors[:2])).projection[:8])
    assert method.student.backbone.norm.num_batches_tracked == 2
    assert method.teacher.backbone.norm.num_batches_tracked == 1


def test_the_centre_follows_the_teachers_mean_after_the_step():
    method = make(center_momentum=0.8)
    before = method.center.clone()
    record = method.observe(crops(), NOW)
    method.judge(record)
    assert torch.equal(method.center, before)
    outputs = [by_hand(record.teacher[j].projection, method.teacher_prototypes.weight) for j in (0, 1)]
    mean = torch.tensor(outputs[0] + outputs[1], dtype=torch.float64).mean(0)
    method.after_step(NOW)
    assert_close(method.center, 0.8 * before + 0.2 * mean)


def test_the_last_layer_does_not_learn_in_the_first_epoch():
    for epoch, learns in ((0, False), (1, True)):
        method = make()
        method(crops(), Progress(3, 10, epoch, 2)).total.backward()
        assert (method.prototypes.weight.grad is not None) == learns
        assert method.student.backbone.conv.weight.grad.abs().max() > 0
        assert method.student.projector[0].weight.grad.abs().max() > 0
        assert all(p.grad is None for p in [*method.teacher.parameters(), *method.teacher_prototypes.parameters()])


def test_the_length_of_the_last_layers_rows_means_nothing():
    method, views = make(), crops()
    first = method(views, NOW).total
    with torch.no_grad():
        method.prototypes.weight.mul_(3)
        method.teacher_prototypes.weight.mul_(0.1)
    assert_close(method(views, NOW).total, first)


def test_the_teacher_and_its_last_layer_follow_along_a_cosine():
    method = make(momentum=0.9)
    for step, momentum in ((0, 0.9), (5, 0.95), (10, 1.0)):
        method(crops(), Progress(step, 10))
        before, layer = method.teacher_prototypes.weight.clone(), method.teacher.projector[0].weight.clone()
        method.after_step(Progress(step, 10))
        assert_close(method.teacher_prototypes.weight, momentum * before + (1 - momentum) * method.prototypes.weight)
        assert_close(
            method.teacher.projector[0].weight, momentum * layer + (1 - momentum) * method.student.projector[0].weight
        )


def test_the_head():
    plain, normed = (
        DINO(Tiny(), hidden=16, dim=6, prototypes=10),
        DINO(Tiny(), hidden=16, prototypes=10, head_norm=True),
    )
    kinds = [type(layer) for layer in plain.student.projector]
    assert kinds == [nn.Linear, nn.GELU, nn.Linear, nn.GELU, nn.Linear]
    assert [tuple(plain.student.projector[k].weight.shape) for k in (0, 2, 4)] == [(16, 4), (16, 16), (6, 16)]
    assert [type(layer) for layer in normed.student.projector][:3] == [nn.Linear, nn.BatchNorm1d, nn.GELU]
    assert type(normed.student.projector[-1]) is nn.Linear and len(normed.student.projector) == 7
    assert all(p.bias.abs().max() == 0 for p in plain.student.projector if isinstance(p, nn.Linear))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prototypes": 0}, "prototypes must be a number above 0"),
        ({"start_temperature": 0.0}, "start_temperature must be a number above 0"),
        ({"temperature_warmup": 2.0}, "temperature_warmup must lie between 0 and 1"),
        ({"center_momentum": -0.1}, "center_momentum must lie between 0 and 1"),
        ({"local_views": -1}, "count from 0, not -1"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        DINO(Tiny(), **{"prototypes": 10, **settings})
    assert message in str(caught.value)
