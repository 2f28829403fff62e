"""MoCo v3: its loss against a loop over queries and keys, the heads, the teacher's momentum, the patch projection."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.moco_v3 import MoCoV3
from twofold.nets.features import Features
from twofold.seam import Progress

from .small import NOW, Tiny, views_of


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def run(**settings):
    torch.manual_seed(0)
    method = MoCoV3(Tiny(), hidden=12, dim=6, **settings).double()
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.mul_(1.1)
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, views, record, method.judge(record)


def test_both_views_are_queries_once_and_the_loss_has_twice_the_temperature():
    method, views, _, losses = run(temperature=0.5)
    first, second = views.tensors
    value, nearest = 0.0, 0
    for query, key in ((first, second), (second, first)):
        q = nn.functional.normalize(method.student(query).prediction, dim=1)
        k = nn.functional.normalize(method.teacher(key).projection, dim=1)
        for b in range(8):
            shares = [math.exp(dot(q[b], other) / 0.5) for other in k]
            value -= 2 * 0.5 * math.log(shares[b] / sum(shares)) / 8
            nearest += query is first and max(shares) == shares[b]
    assert losses.total.item() == pytest.approx(value, abs=1e-9)
    assert losses.scalars["pretext_top1"].item() == pytest.approx(nearest / 8)
    losses.total.backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert method.student.backbone.conv.weight.grad.abs().max() > 0


def test_the_teacher_moves_before_the_step_along_a_cosine():
    method = run()[0]
    for step, momentum in ((0, 0.99), (5, 0.995), (10, 1.0)):
        before = method.teacher.projector[0].weight.clone()
        expected = momentum * before + (1 - momentum) * method.student.projector[0].weight
        method.before_step(Progress(step, 10))
        assert_close(method.teacher.projector[0].weight, expected)
        method.after_step(Progress(step, 10))
        assert_close(method.teacher.projector[0].weight, expected)


def test_the_heads():
    plain, deep = MoCoV3(Tiny(), hidden=12, dim=6), MoCoV3(Tiny(), hidden=12, dim=6, layers=3, predictor_norm=True)
    widths = [[tuple(m.weight.shape) for m in method.student.projector if isinstance(m, nn.Linear)]
              for method in (plain, deep)]  # fmt: skip
    assert widths == [[(12, 4), (6, 12)], [(12, 4), (12, 12), (6, 12)]]
    for method, ends_with_norm in ((plain, False), (deep, True)):
        projector, predictor = method.student.projector, method.student.predictor
        assert isinstance(projector[-1], nn.BatchNorm1d) and not projector[-1].affine
        assert isinstance(predictor[-1], nn.BatchNorm1d) == ends_with_norm
        assert all(m.bias is None for m in (*projector, *predictor) if isinstance(m, nn.Linear))


class Patches(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        self.patch_embed, self.norm = nn.Conv2d(3, 4, 2, stride=2), nn.LayerNorm(4)

    def forward(self, x):
        return Features(None, self.norm(self.patch_embed(x).mean((2, 3))))


def test_the_patch_projection_stays_as_it_was_drawn():
    method = MoCoV3(Patches(), hidden=12, dim=6, frozen_patches=True)
    method(views_of(2), NOW).total.backward()
    frozen = {name for name, p in method.student.named_parameters() if not p.requires_grad}
    assert frozen == {"backbone.patch_embed.weight", "backbone.patch_embed.bias"}
    assert method.student.backbone.patch_embed.weight.grad is None
    assert method.student.backbone.norm.weight.grad.abs().max() > 0
    assert all(p.requires_grad for p in MoCoV3(Patches(), hidden=12, dim=6).student.parameters())


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_b_32"])
def test_a_vits_patch_projection_is_found(name):
    from twofold.images.backbones import build_backbone

    if name.startswith("vit_tiny"):
        pytest.importorskip("timm")
    method = MoCoV3(build_backbone(name, image_size=32), hidden=12, dim=6, frozen_patches=True)
    frozen = [name.split(".")[-2] for name, p in method.student.named_parameters() if not p.requires_grad]
    assert frozen in (["proj", "proj"], ["conv_proj", "conv_proj"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be a number above 0"),
        ({"layers": 0}, "layers must be a number above 0"),
        ({"momentum": 1.5}, "momentum must lie between 0 and 1"),
        ({"frozen_patches": True}, "this backbone has no patch projection"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        MoCoV3(Tiny(), **settings)
    assert message in str(caught.value)
