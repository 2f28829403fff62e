"""MoCo: keys shuffled for their batch norm, both directions, the queue, what follows from the data."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from twofold.errors import UserError
from twofold.methods.co2 import CO2
from twofold.methods.moco import MoCo
from twofold.seam import Progress, Situation, Views

from .small import NOW, Tiny, made, views_of


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


def test_settings_that_follow_from_the_data():
    fitted = MoCo.fit_to(Situation(count=5000, batch_size=128), {"queue": 65536})
    assert fitted["queue"] == 1152 and fitted["key_bn"] == "split" and fitted["groups"] == 8
    assert MoCo.fit_to(Situation(count=5000, batch_size=32), {})["key_bn"] == "plain"
    assert MoCo.fit_to(Situation(count=5000, batch_size=32, devices=2), {})["key_bn"] == "shuffle"
    long = MoCo(Tiny(), dim=8, queue=64)
    assert any("older keys" in note for note in long.notes(Situation(count=100, batch_size=8)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": float("nan")}, "temperature must be a number above 0"),
        ({"momentum": 1.5}, "momentum must lie between 0 and 1, not 1.5"),
        ({"queue": 0}, "queue must be a number above 0"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        MoCo(Tiny(), **settings)
    assert message in str(caught.value)


def stepped(method, steps, batch=8):
    """What each of some steps made, before its keys go into the queue: (record, losses, keys of the steps before)."""
    keys = []
    for step in range(steps):
        now = Progress(step, 10)
        views = views_of(2, batch, seed=step)
        views.tensors = [view.double() for view in views.tensors]
        method.before_step(now)
        record = method.observe(views, now)
        yield (
            record,
            method.judge(record),
            torch.cat([torch.zeros(0, method.dim).double(), *keys])[-len(method.queue.rows) :],
        )
        keys.append(F.normalize(record.teacher[1].row, dim=1).detach())
        method.after_step(now)


def test_with_the_mask_only_keys_are_negatives():
    torch.manual_seed(0)
    method = MoCo(Tiny(), dim=8, queue=20, key_bn="plain", mask_unfilled=True).double()
    filled = []
    for record, losses, keys in stepped(method, 5):
        assert losses.scalars["queue_filled"] == len(keys) / 20
        filled.append(len(keys))
        expected = []
        for query, key in zip(record.student[0].row, record.teacher[1].row, strict=True):
            query, key = query / query.norm(), key / key.norm()
            total = sum((torch.dot(query, other) / 0.2).exp() for other in (key, *keys))
            expected.append(-((torch.dot(query, key) / 0.2).exp() / total).log())
        torch.testing.assert_close(losses.terms["base"].value, torch.stack(expected).mean(), atol=1e-12, rtol=1e-9)
        losses.total.backward()
        assert all(p.grad.isfinite().all() for p in method.student.parameters() if p.grad is not None)
        assert ("pretext_top1" in losses.scalars) == bool(len(keys))
    assert filled == [0, 8, 16, 20, 20]


def test_a_full_queue_is_the_same_with_and_without_the_mask():
    found = []
    for masked in (False, True):
        torch.manual_seed(0)
        method = MoCo(Tiny(), dim=8, queue=16, key_bn="plain", mask_unfilled=masked).double()
        found.append([losses.total for _, losses, _ in stepped(method, 4)])
    assert found[0][0] > found[1][0] and found[0][2:] == found[1][2:]


@pytest.mark.parametrize("name", ["moco+mochi", "moco+co2", "moco+tkc", "moco+unmix", "densecl", "dsc", "moco"])
def test_every_addition_runs_from_an_empty_queue(name):
    method = made(name, [CO2(include_positive=True)] if name == "moco" else [], mask_unfilled=True).double()
    for _, losses, _ in stepped(method, 3):
        losses.total.backward()
        assert losses.total.isfinite()
        assert all(p.grad.isfinite().all() for p in method.parameters() if p.grad is not None)
