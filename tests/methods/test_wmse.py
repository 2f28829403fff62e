"""W-MSE: what its constructor refuses, the groups, and that nothing is stopped."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.wmse import WMSE
from twofold.objectives.decorrelation import whiten
from twofold.seam import Situation

from .small import NOW, Tiny, views_of


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 64, "whiten_size": 64}, "whiten_size must be more than dim, and 2 x dim = 128 by the paper's rule"),
        ({"dim": 64, "whiten_size": 32}, "cannot whiten 64 dimensions with 32 rows"),
        ({"views": 1}, "at least 2 views"),
        ({"epsilon": 1.5}, "epsilon must lie between 0 and 1"),
        ({"repeats": 0}, "repeats must be a number above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(UserError) as caught:
        WMSE(Tiny(), **settings)
    assert message in str(caught.value)


def test_a_batch_that_groups_do_not_divide_is_refused_with_the_rule():
    method = WMSE(Tiny(), dim=4, whiten_size=8)
    method.check(Situation(count=100, batch_size=24))
    with pytest.raises(UserError, match=r"batch of 20 is no multiple.*batch of 16.*2 x dim = 8"):
        method.check(Situation(count=100, batch_size=20))
    with pytest.raises(UserError, match="no multiple"):
        method(views_of(2, batch=12), NOW)


@pytest.mark.parametrize(
    ("batch", "dim", "size"), [(512, 64, 128), (256, 64, 128), (192, 64, 192), (100, 50, 100), (12, 6, 12), (2, 1, 2)]
)
def test_groups_fit_the_batch(batch, dim, size):
    fitted = WMSE.fit_to(Situation(count=1000, batch_size=batch), {"dim": 64, "whiten_size": 128})
    assert (fitted["dim"], fitted["whiten_size"]) == (dim, size)
    WMSE(Tiny(), **fitted).check(Situation(count=1000, batch_size=batch))


def test_all_pairs_of_four_views_are_compared_and_every_view_gets_gradient():
    method = WMSE(Tiny(), views=4, dim=2, hidden=8, whiten_size=4).double()
    views = views_of(4)
    views.tensors = [view.double().requires_grad_() for view in views.tensors]
    record = method.observe(views, NOW)
    losses = method.judge(record)
    assert len(record.directions) == 6
    white = []
    (order,) = record.kept["orders"]
    for look in record.student.values():
        rows = torch.empty_like(look.projection)
        for group in order.split(4):
            rows[group] = whiten(look.projection[group])[0]
        white.append(rows / rows.norm(dim=1, keepdim=True))
    pairs = [(a - b).square().sum(1).mean() for i, a in enumerate(white) for b in white[i + 1 :]]
    assert_close(losses.total, sum(pairs) / 6)
    losses.total.backward()
    assert all(view.grad.abs().max() > 0 for view in views.tensors)


def test_compare_is_the_base_loss():
    method = WMSE(Tiny(), dim=2, hidden=8, whiten_size=4, repeats=3, normalise=False).double()
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, NOW)
    base = method.judge(record).terms["base"].value
    assert_close(record.compare(record.student[0].row, record.student[1].row).mean(), base)


def test_groups_are_new_at_every_step_and_the_same_again():
    method = WMSE(Tiny(), dim=2, hidden=8, whiten_size=4)
    orders = []
    for now in (NOW, NOW, type(NOW)(step=4, steps=10, seed=5)):
        orders.append(method.draw_orders(method.observe(views_of(2), now)))
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])


def test_a_failed_cholesky_shows_in_the_log_and_is_said():
    method = WMSE(Tiny(), dim=2, hidden=8, whiten_size=4)
    with torch.no_grad():
        method.student.projector[-1].weight.zero_()
    losses = method(views_of(2), NOW)
    assert losses.scalars["whitening_epsilon"] > 0 and torch.isfinite(losses.total)
    assert ["Cholesky failed" in message for message in method.alarms({"whitening_epsilon": 1e-6})] == [True]
    assert method.alarms({"whitening_epsilon": 0.0}) == []
    few = WMSE(Tiny(), dim=5, whiten_size=8).notes(Situation(count=100, batch_size=8))
    assert any("2 x dim = 10" in note for note in few)
