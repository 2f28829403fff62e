"""MixSiam: its loss against an explicit loop, each setting, where the gradient stops, what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.mixsiam import MixSiam
from twofold.methods.simsiam import SimSiam

from .small import NOW, Tiny, made, views_of


def run(**settings):
    torch.manual_seed(0)
    addition = MixSiam(**settings)
    method = SimSiam(Tiny(), dim=8, additions=[addition]).double()
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, addition, record, method.judge(record)


def cosines(a, b):
    return [
        sum(x * y for x, y in zip(p, t, strict=True)) / math.hypot(*p) / math.hypot(*t)
        for p, t in zip(a.tolist(), b.tolist(), strict=True)
    ]


@pytest.mark.parametrize("max_on", ["projection", "after_norm"])
@pytest.mark.parametrize("center", [False, True])
def test_the_loss_is_the_loop(max_on, center):
    method, addition, record, losses = run(max_on=max_on, center_target=center, weight=0.5)
    z = [record.teacher[view].projection for view in (0, 1)]
    z = [F.normalize(rows, dim=1) for rows in z] if max_on == "after_norm" else z
    aim = torch.tensor([[max(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(*map(list, z), strict=True)])
    aim = aim.double() - (aim.double().mean(0) if center else 0)
    mixed = addition.mix(*record.views.tensors, record)
    prediction = method.student(mixed).prediction
    term = losses.terms["mixsiam"]
    assert term.weight == 0.5
    assert term.value.item() == pytest.approx(-sum(cosines(prediction, aim)) / len(aim), abs=1e-9)
    assert_close(losses.total, losses.terms["base"].value + 0.5 * term.value)


def test_mixtures_have_a_share_of_their_own_and_are_the_same_again():
    _, addition, record, _ = run()
    first, second = record.views.tensors
    mixed = addition.mix(first, second, record)
    shares = ((mixed - second) / (first - second)).flatten(1)
    assert_close(shares, shares[:, :1].expand_as(shares))
    assert len(set(shares[:, 0].tolist())) == len(first) and shares.min() >= 0 and shares.max() <= 1
    assert torch.equal(mixed, addition.mix(first, second, record))
    fixed = MixSiam(ratio=0.25).mix(first, second, record)
    assert_close(fixed, 0.25 * first + 0.75 * second)
    pasted = MixSiam(mixture="cutmix").mix(first, second, record)
    assert ((pasted == first) | (pasted == second)).all() and not torch.equal(pasted, first)


def test_the_maximum_of_features_is_projected():
    method, _, record, losses = run(max_on="backbone")
    features = torch.maximum(record.teacher[0].feature, record.teacher[1].feature)
    aim = method.student.projector(features)
    mixed = method.additions[0].mix(*record.views.tensors, record)
    expected = -sum(cosines(method.student(mixed).prediction, aim)) / len(aim)
    assert losses.terms["mixsiam"].value.item() == pytest.approx(expected, abs=1e-9)
    assert not [name for name in method.state_dict() if name.startswith("additions")]


@pytest.mark.parametrize("max_on", ["projection", "after_norm", "backbone"])
@pytest.mark.parametrize("stop", [True, False])
def test_where_the_gradient_stops(max_on, stop):
    _, addition, record, _ = run(max_on=max_on, stop_gradient=stop)
    assert addition.maximum(record).requires_grad == (not stop)


def test_statistics_shared_with_both_views_differ_from_its_own():
    own, shared = (run(statistics=kind)[3].terms["mixsiam"].value for kind in ("own", "shared"))
    assert not torch.isclose(own, shared)


def test_one_direction_for_all_images_is_an_alarm():
    _, addition, _, losses = run()
    assert -1 <= losses.scalars["mixsiam_constant"] <= 1
    assert addition.alarms({"mixsiam_constant": 0.95}) and not addition.alarms({"mixsiam_constant": 0.8})


def test_bases_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="SimCLR has no predictor"):
        made("simclr", [MixSiam()])
    with pytest.raises(UserError, match="BYOL's targets carry no gradient"):
        made("byol", [MixSiam(stop_gradient=False)])
    with pytest.raises(UserError, match="ratio must lie between 0 and 1"):
        MixSiam(ratio=2.0)
    with pytest.raises(UserError, match="alpha must be a number above 0"):
        MixSiam(alpha=0.0)
