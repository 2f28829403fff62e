"""The seam: an addition that uses every hook, laid over every base; composition; what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.methods.barlow_twins import BarlowTwins
from twofold.methods.byol import BYOL
from twofold.methods.co2 import CO2
from twofold.methods.dino import DINO
from twofold.methods.moco import MoCo
from twofold.methods.moco_v3 import MoCoV3
from twofold.methods.simclr import SimCLR
from twofold.methods.simsiam import SimSiam
from twofold.methods.swav import SwAV
from twofold.methods.vicreg import VICReg
from twofold.methods.wmse import WMSE
from twofold.nets.features import Features
from twofold.seam import Progress, Situation, Term, Views

BASES = {
    "simclr": lambda backbone, additions=(): SimCLR(backbone, dim=8, additions=additions),
    "moco": lambda backbone, additions=(): MoCo(backbone, dim=8, queue=24, additions=additions),
    "moco-symmetric": lambda backbone, additions=(): MoCo(
        backbone, dim=8, queue=24, symmetric=True, additions=additions
    ),
    "simsiam": lambda backbone, additions=(): SimSiam(backbone, dim=8, additions=additions),
    "byol": lambda backbone, additions=(): BYOL(backbone, hidden=16, dim=8, additions=additions),
    "wmse": lambda backbone, additions=(): WMSE(backbone, dim=3, hidden=16, whiten_size=8, additions=additions),
    "barlow": lambda backbone, additions=(): BarlowTwins(backbone, dim=8, additions=additions),
    "moco-v3": lambda backbone, additions=(): MoCoV3(backbone, hidden=16, dim=8, additions=additions),
    "dino": lambda backbone, additions=(): DINO(
        backbone, hidden=16, dim=8, prototypes=12, local_views=0, additions=additions
    ),
    "swav": lambda backbone, additions=(): SwAV(
        backbone, hidden=16, dim=8, prototypes=5, local_views=0, additions=additions
    ),
    "vicreg": lambda backbone, additions=(): VICReg(backbone, dim=8, additions=additions),
}
NOW = Progress(step=3, steps=10, seed=5)


class Tiny(nn.Module):
    """A conv layer with batch norm: a map of 4 channels and its mean."""

    width = 4

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        features = self.norm(self.conv(x)).relu()
        return Features(features, features.mean((2, 3)))


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

    def show(self, shown, progress):
        return [x + 1 for x in shown]

    def negatives(self, record, student_rows, teacher_rows):
        return F.normalize(torch.ones(len(student_rows), 2, student_rows.shape[1]), dim=2)

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

    def after_step(self, progress):
        self.calls.append("after_step")


def views_of(count, batch=8, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return Views([torch.randn(batch, 3, 6, 6, generator=drawn) for _ in range(count)], [], torch.arange(batch))


@pytest.mark.parametrize("name", BASES)
def test_an_addition_with_every_hook_works_over_every_base(name):
    torch.manual_seed(0)
    addition = Everything()
    method = BASES[name](Tiny(), [addition])
    assert method.view_count == 3 and addition.first_extra_view == 2
    method.before_step(NOW)
    losses = method(views_of(3), NOW)
    assert set(losses.terms) == {"base", "gap", "again"}
    assert losses.terms["base"].weight == 0.25 and losses.scalars["views"] == 3
    expected = sum(term.weight * term.value for term in losses.terms.values())
    torch.testing.assert_close(losses.total, expected)
    losses.total.backward()
    assert addition.head.weight.grad is not None
    twin_before = addition.twin.weight.clone()
    with torch.no_grad():
        addition.head.weight.add_(1)
    method.after_step(NOW)
    method.before_step(NOW)
    assert addition.calls == ["join", "after_step"]
    if method.momentum_teacher:
        assert addition.twin is not addition.head
        moved = (addition.twin.weight - twin_before).abs().max()
        assert 0 < moved < 0.1
    else:
        assert addition.twin is addition.head


@pytest.mark.parametrize("name", BASES)
def test_a_step_leaves_nothing_behind_but_the_state(name):
    method = BASES[name](Tiny())
    before = dict(vars(method))
    method.before_step(NOW)
    method(views_of(2), NOW)
    assert method.record is not None
    method.after_step(NOW)
    assert vars(method).keys() == before.keys() and method.record is None


@pytest.mark.parametrize("name", ["moco", "moco-symmetric", "moco-v3"])
def test_extra_negatives_reach_the_comparison(name):
    torch.manual_seed(0)
    plain, more = BASES[name](Tiny()), BASES[name](Tiny(), [Everything()])
    more.load_state_dict(plain.state_dict(), strict=False)
    shown = views_of(3)
    for x in shown.tensors:
        x -= 1
    record = more.observe(shown, NOW)
    more.judge(record)
    rows, keys = record.student[0].row, record.teacher[1].row
    assert (record.compare(rows, keys) > plain.observe(shown, NOW).compare(rows, keys)).all()


@pytest.mark.parametrize("name", BASES)
def test_where_the_gradient_stops(name):
    method = BASES[name](Tiny())
    method.before_step(NOW)
    record = method.observe(views_of(2), NOW)
    targets = [record.teacher[j].row for _, j in record.directions]
    assert all(rows.requires_grad == (name in ("simclr", "wmse", "barlow", "vicreg")) for rows in targets)
    assert all(record.student[i].row.requires_grad for i, _ in record.directions)


@pytest.mark.parametrize("name", BASES)
def test_shuffling_the_batch_changes_nothing_but_the_order(name):
    torch.manual_seed(0)
    method = BASES[name](Tiny()).double()
    if name in ("moco", "moco-symmetric"):
        method = MoCo(Tiny(), dim=8, queue=24, symmetric="symmetric" in name, key_bn="plain").double()
    views = views_of(2)
    views.tensors = [x.double() for x in views.tensors]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    turned = Views([x[order] for x in views.tensors], [], views.index[order])
    totals = []
    for given in (views, turned):
        method.before_step(NOW)
        totals.append(method(given, NOW).total)
    torch.testing.assert_close(*totals, rtol=1e-9, atol=1e-9)


def test_the_keys_are_shuffled_for_their_batch_norm_and_come_back_in_order():
    torch.manual_seed(0)
    method = MoCo(Tiny(), dim=8, queue=24, groups=4)
    shown = views_of(1, batch=16).tensors[0]
    one, other = (method.teach(shown, Progress(step, 10)).projection for step in (1, 2))
    assert not torch.equal(one, other)
    method.teacher.eval()
    one, other = (method.teach(shown, Progress(step, 10)) for step in (1, 2))
    torch.testing.assert_close(one.projection, other.projection)
    torch.testing.assert_close(one.map, method.teacher(shown).map)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_symmetric_moco_is_two_asymmetric_steps_with_one_ema_update(reduction):
    torch.manual_seed(0)
    options = {"dim": 8, "queue": 24, "key_bn": "plain"}
    both = MoCo(Tiny(), symmetric=True, reduction=reduction, **options).double()
    one = MoCo(Tiny(), **options).double()
    one.load_state_dict(both.state_dict())
    first, second = (x.double() for x in views_of(2).tensors)
    both.before_step(NOW)
    total = both(Views([first, second], [], torch.arange(8)), NOW).total
    one.before_step(NOW)
    halves, keys = [], []
    for pair in ([first, second], [second, first]):
        halves.append(one(Views(pair, [], torch.arange(8)), NOW).total)
        keys.append(F.normalize(one.record.teacher[1].row, dim=1))
    wanted = sum(halves) if reduction == "sum" else sum(halves) / 2
    torch.testing.assert_close(total, wanted)
    both.after_step(NOW)
    # The keys of view 1 come first; in the second asymmetric step view 1 is the key.
    torch.testing.assert_close(both.queue.rows[:16], torch.cat([keys[1], keys[0]]))
    assert both.queue.pointer == 16


def test_a_queue_wraps_at_any_batch_size():
    method = MoCo(Tiny(), dim=8, queue=20, key_bn="plain")
    kept = []
    for step in range(4):
        now = Progress(step, 10)
        method.before_step(now)
        method(views_of(2, seed=step), now)
        kept.append(F.normalize(method.record.teacher[1].row, dim=1))
        method.after_step(now)
    newest_first = torch.cat(kept)[-20:]
    assert method.queue.pointer == 32 % 20
    torch.testing.assert_close(method.queue.rows.roll(-int(method.queue.pointer), 0), newest_first)


def test_co2_refuses_a_base_without_negatives():
    with pytest.raises(UserError, match=r"BYOL has none"):
        BASES["byol"](Tiny(), [CO2()])


def test_settings_that_follow_from_the_data():
    fitted = MoCo.fit_to(Situation(count=5000, batch_size=128), {"queue": 65536})
    assert fitted["queue"] == 1152 and fitted["key_bn"] == "split" and fitted["groups"] == 8
    assert MoCo.fit_to(Situation(count=5000, batch_size=32), {})["key_bn"] == "plain"
    assert MoCo.fit_to(Situation(count=5000, batch_size=32, devices=2), {})["key_bn"] == "shuffle"
    long = MoCo(Tiny(), dim=8, queue=64)
    assert any("older keys" in note for note in long.notes(Situation(count=100, batch_size=8)))
    risky = MoCo(Tiny(), dim=8, queue=64, additions=[CO2(weight=10.0)])
    assert any("collapsed" in note for note in risky.notes(Situation(count=1000, batch_size=8)))


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("moco", {}, (0.3, 0.05)),
        ("simclr", {}, (1.0, 1.0)),
        ("simclr", {"weight": 0.5}, (0.5, 1.0)),
        ("moco", {"temperature": 0.2}, (0.3, 0.2)),
    ],
)
def test_co2_is_gentler_in_the_batch(name, settings, expected):
    (addition,) = BASES[name](Tiny(), [CO2(**settings)]).additions
    assert (addition.weight, addition.temperature) == expected


def test_co2_ramp():
    addition = CO2(weight=2.0, ramp=0.5)
    method = MoCo(Tiny(), dim=8, queue=24, additions=[addition])
    weights = []
    for step in (0, 2, 5, 9):
        now = Progress(step, 10)
        method.before_step(now)
        weights.append(method(views_of(2), now).terms["co2"].weight)
    assert weights == pytest.approx([0.0, 0.8, 2.0, 2.0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SimCLR(Tiny(), temperature=0.0), "temperature must be a number above 0, not 0.0"),
        (lambda: MoCo(Tiny(), temperature=float("nan")), "temperature must be a number above 0"),
        (lambda: MoCo(Tiny(), momentum=1.5), "momentum must lie between 0 and 1, not 1.5"),
        (lambda: MoCo(Tiny(), queue=0), "queue must be a number above 0"),
        (lambda: BYOL(Tiny(), dim=0), "dim must be a number above 0"),
        (lambda: SimSiam(Tiny(), layers=0), "layers must be a number above 0"),
        (lambda: CO2(temperature=-1.0), "temperature must be a number above 0"),
    ],
)
def test_settings_that_cannot_be_meant(make, said):
    with pytest.raises(UserError) as caught:
        make()
    assert said in str(caught.value)
