"""LeJEPA: its loss by loops, who gets gradient, one projector for all views, what it says and refuses, a short run."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.lejepa import LeJEPA
from twofold.objectives.sigreg import knots, sigreg, slices
from twofold.seam import Progress, Views

from .small import NOW, Tiny, views_of


def run(large=2, small=3, **settings):
    torch.manual_seed(0)
    method = LeJEPA(
        Tiny(), global_views=large, local_views=small, **{"dim": 5, "hidden": 7, "slices": 11} | settings
    ).double()
    views = views_of(large + small)
    views.tensors = [view.double() for view in views.tensors]
    views.tensors[large:] = [F.interpolate(view, scale_factor=2 / 3) for view in views.tensors[large:]]
    views.tensors = [view.requires_grad_() for view in views.tensors]
    record = method.observe(views, NOW)
    return method, views, record, method.judge(record)


@pytest.mark.parametrize(("large", "small"), [(2, 3), (3, 0), (1, 2)])
def test_every_view_is_pulled_to_the_mean_of_the_large_ones(large, small):
    _, views, record, losses = run(large, small, sigreg=0.3)
    z = torch.stack([record.student[i].projection for i in range(large + small)])
    count, batch, dim = z.shape
    apart = 0.0
    for n in range(batch):
        for d in range(dim):
            centre = sum(z[v, n, d] for v in range(large)) / large
            apart = apart + sum((z[v, n, d] - centre) ** 2 for v in range(count)) / (count * batch * dim)
    drawn = slices(5, 11, NOW.generator("slices"))
    gaussian = sum(sigreg(view[None], drawn, knots()) for view in z) / count
    assert_close(losses.scalars["prediction"], apart.detach())
    assert_close(losses.total, 0.7 * apart + 0.3 * gaussian)
    losses.total.backward()
    assert all(view.grad.abs().max() > 0 for view in views.tensors)


def test_alike_views_have_nothing_to_predict_and_two_large_ones_their_variance():
    method, views, _, _ = run(2, 0)
    views.tensors[1] = views.tensors[0]
    assert method(views, NOW).scalars["prediction"] < 1e-20
    _, _, record, losses = run(2, 0)
    z = torch.stack([record.student[i].projection for i in (0, 1)])
    assert_close(losses.scalars["prediction"], z.var(0, correction=0).mean().detach())


def test_compare_is_the_loss_of_two_large_views():
    _, _, record, losses = run(2, 0)
    each = record.compare(record.student[1].row, record.student[0].row)
    assert each.shape == (8,)
    assert_close(each.mean(), losses.total)


def test_the_backbone_sees_each_size_once_and_the_projector_all_views_together():
    method, _, record, _ = run(2, 3)
    assert method.student.backbone.norm.num_batches_tracked == 2
    assert method.student.projector[1].num_batches_tracked == 1
    together = torch.cat([record.student[i].feature for i in range(5)])
    method.student.projector[1].momentum = None
    assert_close(method.student.projector(together)[:8], record.student[0].projection)


def test_slices_are_the_steps_own():
    method, views, _, first = run(2, 0)
    again, later = method(views, NOW), method(views, Progress(4, 10, seed=5))
    assert_close(again.scalars["sigreg"], first.scalars["sigreg"])
    assert not torch.isclose(later.scalars["sigreg"], first.scalars["sigreg"])


def test_the_test_is_made_in_float32_under_autocast():
    torch.manual_seed(0)
    method, views = LeJEPA(Tiny(), local_views=0, dim=5, hidden=7, slices=11), views_of(2)
    with torch.autocast("cpu", torch.bfloat16):
        losses = method(views, NOW)
    assert losses.total.dtype == losses.scalars["sigreg"].dtype == torch.float32


def test_a_recipe_with_fewer_large_views_is_refused():
    _, views, _, _ = run(2, 3)
    wrong = LeJEPA(Tiny(), global_views=3, local_views=2, dim=5, hidden=7, slices=11).double()
    with pytest.raises(UserError, match="3 large views are not of one size"):
        wrong(views, NOW)


@pytest.mark.parametrize(
    "settings", [{"knots": 1}, {"global_views": 0}, {"global_views": 1, "local_views": 0}, {"local_views": -1}]
)
def test_counts_that_make_no_sense_are_refused(settings):
    with pytest.raises(UserError, match="2 knots, 1 large view and 2 views"):
        LeJEPA(Tiny(), **settings)


def test_it_says_when_the_cloud_is_too_narrow_or_too_wide():
    method, _, _, losses = run()
    row = {"step": 200, **{name: value.item() for name, value in losses.scalars.items()}}
    assert row["deviation"] < 0.7
    assert "less than 0.7" in method.alarms(row)[0]
    assert method.alarms({**row, "deviation": 9.0})
    assert method.alarms({**row, "deviation": 1.1}) == method.alarms({**row, "step": 10}) == method.alarms({}) == []
    assert "0.05" in method.collapse_causes()[0]


def test_patterns_are_told_apart():
    class Whole(Tiny):
        width = 32

        def __init__(self):
            super().__init__()
            self.conv, self.norm = torch.nn.Conv2d(3, 32, 6), torch.nn.BatchNorm2d(32)

    torch.manual_seed(0)
    method = LeJEPA(Whole(), local_views=0, dim=16, hidden=64, slices=64, sigreg=0.1)
    optimizer = torch.optim.AdamW(method.parameters(), 3e-3)
    patterns = torch.randn(16, 3, 6, 6)
    for step in range(100):
        which = torch.randint(0, 16, (128,))
        tensors = [patterns[which] + 0.3 * torch.randn(128, 3, 6, 6) for _ in range(2)]
        losses = method(Views(tensors, [], torch.arange(128)), Progress(step, 100))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert 0.7 < losses.scalars["deviation"] < 1.2
    assert losses.scalars["sigreg"] < 5  # 16 patterns are no Gaussian cloud
    rows = F.normalize(losses.rows, dim=1)
    similar, same = rows[:128] @ rows[128:].T, which[:, None] == which
    assert similar[same].mean() > 0.8 > 0.3 > similar[~same].mean()
