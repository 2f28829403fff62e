"""SCRL: the loss from its parts, what takes the place of BYOL's, images without boxes, sizes, refusals."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.methods.byol import BYOL, teacher_momentum
from twofold.methods.scrl import SCRL, pool
from twofold.nets.features import Grid
from twofold.seam import Views

from ..tiny import cut, make
from .small import NOW, Tiny, made, views_of


def run(base="byol", batch=8, **settings):
    addition = SCRL(**{"boxes": 4} | settings)
    method = made(base, [addition], **({"one_pass": True} if base == "byol" else {})).double()
    views = views_of(2, batch)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, addition, record


def test_the_loss_is_that_of_the_pairs():
    method, addition, record = run()
    regions = addition.regions(record)
    losses = method.judge(record)
    assert losses.terms["base"].weight == 0 and losses.terms["scrl"].weight == 1
    assert 0 < losses.scalars["scrl_boxes"] <= 1
    boxes = (regions.first, regions.second)
    online = torch.cat([pool(record.student[v].map, regions.image, boxes[v], method.backbone.grid) for v in (0, 1)])
    target = torch.cat([pool(record.teacher[v].map, regions.image, boxes[v], method.backbone.grid) for v in (0, 1)])
    p1, p2 = method.student.predictor(method.student.projector(online)).chunk(2)
    z1, z2 = method.teacher.projector(target).detach().chunk(2)
    each = [
        4 - 2 * F.cosine_similarity(p1[r], z2[r], dim=0) - 2 * F.cosine_similarity(p2[r], z1[r], dim=0)
        for r in range(len(p1))
    ]
    assert_close(losses.terms["scrl"].value, torch.stack(each).mean())
    losses.total.backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert method.student.backbone.conv.weight.grad.abs().max() > 0


def test_one_pass_shares_the_statistics_of_both_views():
    method, _, record = run()
    joined = method.student.backbone(torch.cat(record.shown)).map
    assert_close(torch.cat([record.student[0].map, record.student[1].map]), joined)
    apart = made("byol").double()
    alone = apart.observe(record.views, NOW)
    assert not torch.allclose(alone.student[0].map, record.student[0].map)


def test_a_cell_is_what_the_grid_says():
    map = torch.arange(2 * 5 * 5, dtype=torch.float64).view(1, 2, 5, 5)
    image = torch.zeros(1, dtype=torch.int64)
    # Padded convolutions: cell i on pixel 8 i. Patches: cell i covers pixels 8 i to 8 i + 8.
    around = torch.tensor([[12.0, 20.0, 20.0, 28.0]]).double()
    assert_close(pool(map, image, around, Grid(5, 5, 8.0, 0.0)), map[:, :, 3, 2])
    assert_close(pool(map, image, around + 4, Grid(5, 5, 8.0, 3.5)), map[:, :, 3, 2])


def test_a_batch_without_any_box_has_a_loss_of_0_that_can_go_backward():
    method, _, record = run(least=6)
    losses = method.judge(record)
    assert losses.scalars["scrl_boxes"] == 0 and losses.terms["scrl"].value == 0
    losses.total.backward()
    assert (method.student.backbone.conv.weight.grad == 0).all()
    assert any("less than a quarter" in alarm for alarm in method.alarms({"scrl_boxes": 0.0}))
    assert not any("scrl" in alarm for alarm in method.alarms({"scrl_boxes": 0.9}))


def test_it_goes_over_simsiam():
    method, _, record = run("simsiam")
    method.judge(record).total.backward()
    assert method.student.backbone.conv.weight.grad.abs().max() > 0


def test_what_it_does_not_go_over():
    for base, reason in (
        ("moco", "does not predict; use byol"),
        ("moco-v3", "without negatives"),
        ("vicreg", "does not predict"),
    ):
        with pytest.raises(UserError, match=reason):
            made(base, [SCRL()])

    class Coarse(Tiny):
        grid = Grid(2, 2, 32.0, 0.0)

    class Wide(Tiny):
        map_width = 5

    with pytest.raises(UserError, match="at least 3 x 3 cells, and this one has 2 x 2: give a larger --image-size"):
        make("byol+scrl", Coarse())
    with pytest.raises(UserError, match="as wide as the pooled feature"):
        make("byol+scrl", Wide())
    method, _, record = run()
    record.views = Views(record.views.tensors, [], record.views.index)
    with pytest.raises(UserError, match="where its views were cut"):
        method.judge(record)
    for settings in ({"boxes": 0}, {"overlap": 2.0}, {"jitter": -0.1}, {"least": -1}):
        with pytest.raises(UserError):
            SCRL(**settings)


def test_boxes_on_an_earlier_stage_have_a_projector_of_their_own():
    torch.manual_seed(0)
    addition = SCRL(boxes=3, feature_stage=3)
    backbone = build_backbone("resnet10", image_size=64, stem="imagenet")
    method = BYOL(backbone, hidden=16, dim=8, one_pass=True, additions=[addition]).double()
    assert addition.grid.stride == 16 and addition.rules.least == 16
    views = Views(
        [torch.randn(4, 3, 64, 64).double() for _ in range(2)],
        [cut(torch.arange(4), v, 80) for v in (0, 1)],
        torch.arange(4),
    )
    record = method.observe(views, NOW)
    regions, losses = addition.regions(record), method.judge(record)
    boxes = regions.first, regions.second
    online, target = (
        torch.cat([pool(looks[v].map, regions.image, boxes[v], addition.grid) for v in (0, 1)])
        for looks in (record.student, record.teacher)
    )
    p1, p2 = method.student.predictor(addition.projector(online)).chunk(2)
    z1, z2 = addition.twin(target).detach().chunk(2)
    each = 4 - 2 * F.cosine_similarity(p1, z2) - 2 * F.cosine_similarity(p2, z1)
    assert_close(losses.terms["scrl"].value, each.mean())
    losses.total.backward()
    assert addition.projector[0].weight.shape == (16, 256) and addition.projector[0].weight.grad.abs().max() > 0
    assert all(not p.requires_grad for p in addition.twin.parameters())
    before = addition.twin[0].weight.clone()
    with torch.no_grad():
        addition.projector[0].weight.add_(1)
    method.after_step(NOW)
    moved = (addition.twin[0].weight - before) / (addition.projector[0].weight - before)
    assert_close(moved, torch.full_like(moved, 1 - teacher_momentum(0.99, NOW.fraction)))
    with pytest.raises(UserError, match=r"at least 3 x 3 cells, .*or with a ResNet --method.scrl.feature_stage 3"):
        BYOL(build_backbone("resnet10", image_size=64, stem="imagenet"), additions=[SCRL()])
