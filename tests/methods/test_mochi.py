"""MoCHi: mixtures against a naive loop over rows, no gradient through them, each of s and s' alone, the warm-up."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.mochi import MoCHi
from twofold.methods.moco import MoCo
from twofold.seam import Progress, Situation

from .small import NOW, Tiny, made, views_of


def run(progress=NOW, **settings):
    torch.manual_seed(0)
    addition = MoCHi(**({"hardest": 5, "mixed": 4, "with_query": 3, "warmup": 0.0} | settings))
    method = MoCo(Tiny(), dim=8, queue=24, key_bn="plain", additions=[addition]).double()
    views = views_of(2)
    views.tensors = [view.double() for view in views.tensors]
    record = method.observe(views, progress)
    return method, addition, record, method.judge(record)


def test_the_loss_is_the_loop_over_rows():
    method, addition, record, losses = run()
    record.comparisons = 0
    draw = addition.draw(record)
    q, k = F.normalize(record.student[0].row, dim=1), F.normalize(record.teacher[1].row, dim=1)
    stored, values = record.negatives, []
    for b in range(len(q)):
        similarity = stored @ q[b].detach()
        hardest = similarity.topk(5, sorted=False).indices
        assert set(hardest.tolist()) == set(similarity.argsort(descending=True)[:5].tolist())
        made = []
        for s in range(4):
            one, other, a = stored[hardest[draw.i[b, s]]], stored[hardest[draw.j[b, s]]], draw.alpha[b, s].double()
            made.append(F.normalize(a * one + (1 - a) * other, dim=0))
        for s in range(3):
            own, a = stored[hardest[draw.single[b, s]]], draw.beta[b, s].double()
            made.append(F.normalize(a * q[b].detach() + (1 - a) * own, dim=0))
        logits = torch.cat([(q[b] @ k[b])[None], stored @ q[b], torch.stack(made) @ q[b]]) / method.temperature
        values.append(logits.logsumexp(0) - logits[0])
    expected = torch.stack(values).mean()
    assert_close(losses.total, expected)
    ours, loops = (torch.autograd.grad(value, method.student.backbone.conv.weight, retain_graph=True)[0]
                   for value in (losses.total, expected))  # fmt: skip
    assert_close(ours, loops)


def test_draws_are_new_at_every_call_and_step_and_a_function_of_the_image():
    _, addition, record, _ = run()
    first = addition.draw(record)
    record.comparisons += 1
    second = addition.draw(record)
    assert not torch.equal(first.alpha, second.alpha)
    assert (first.i != first.j).all() and first.beta.max() < 0.5
    assert first.i.min() >= 0 and max(first.i.max(), first.j.max(), first.single.max()) < 5
    assert torch.equal(addition.draw(record).alpha, second.alpha)
    other = run(Progress(4, 10, seed=5))[2]
    other.comparisons = record.comparisons
    assert not torch.equal(addition.draw(other).alpha, second.alpha)


def test_pairs_may_repeat_where_asked():
    _, addition, record, _ = run(hardest=2, mixed=64, replace=True)
    draw = addition.draw(record)
    assert (draw.i == draw.j).any() and (draw.i != draw.j).any()


@pytest.mark.parametrize(("mixed", "with_query"), [(4, 0), (0, 3), (7, 2)])
def test_each_kind_alone(mixed, with_query):
    _, _, record, losses = run(mixed=mixed, with_query=with_query)
    made = record.kept["extra"]
    assert made.shape == (8, mixed + with_query, 8)
    assert_close(made.norm(dim=2), torch.ones(8, mixed + with_query, dtype=torch.float64))
    assert not made.requires_grad
    losses.total.backward()


def test_nothing_is_made_before_the_warm_up_ends_and_nothing_enters_the_queue():
    _, _, record, early = run(Progress(0, 100), warmup=0.05)
    assert "extra" not in record.kept
    method, _, record, late = run(Progress(5, 100), warmup=0.05)
    assert "extra" in record.kept and late.total > early.total
    for name in ("pretext_top1", "negatives_with_mass", "uniformity"):
        assert name in late.scalars
    before = method.queue.rows.clone()
    method.after_step(Progress(5, 100))
    assert_close(method.queue.rows[:8].double(), F.normalize(record.teacher[1].row, dim=1))
    assert torch.equal(method.queue.rows[8:], before[8:])


def test_how_many_are_hardest():
    assert run(hardest=None)[1].hardest == 2
    assert MoCo(Tiny(), dim=8, queue=64, additions=[MoCHi()]).additions[0].hardest == 4
    assert MoCHi.fit_to(Situation(count=6400, batch_size=64), {"hardest": 1024}) == {"hardest": 100}
    assert MoCHi.fit_to(Situation(count=6400, batch_size=64), {"hardest": None}) == {"hardest": None}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made("simclr", [MoCHi()]), "SimCLR has none; use moco+mochi"),
        (lambda: made("moco", [MoCHi(hardest=25)]), "25, more than the 24 keys of the queue"),
        (lambda: MoCHi(mixed=0, with_query=0), "leaves nothing to make"),
        (lambda: MoCHi(hardest=1), "at least 2, not 1"),
        (lambda: MoCHi(warmup=2.0), "warmup must lie between 0 and 1"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)
