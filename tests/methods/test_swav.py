"""SwAV: codes against Sinkhorn-Knopp in loops, the loss view by view, the queue, the prototypes, what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.methods.swav import SwAV
from twofold.seam import Progress, Situation, Views

from .small import Tiny, views_of

LATE = Progress(8, 10, 1, 2)


def by_hand(scores, epsilon, iterations):
    """Sinkhorn-Knopp as in the paper, on a table of prototypes by images that sums to 1."""
    images, prototypes = len(scores), len(scores[0])
    q = [[math.exp(scores[b][k] / epsilon) for b in range(images)] for k in range(prototypes)]
    whole = sum(map(sum, q))
    q = [[value / whole for value in row] for row in q]
    for _ in range(iterations):
        q = [[value / sum(row) / prototypes for value in row] for row in q]
        columns = [sum(row[b] for row in q) for b in range(images)]
        q = [[value / columns[b] / images for b, value in enumerate(row)] for row in q]
    return torch.tensor([[q[k][b] * images for k in range(prototypes)] for b in range(images)], dtype=torch.float64)


def crops(small=2):
    large = views_of(2).tensors
    drawn = torch.Generator().manual_seed(9)
    tensors = [*large, *(torch.randn(8, 3, 4, 4, generator=drawn) for _ in range(small))]
    return Views([x.double() for x in tensors], [], torch.arange(8))


def make(**settings):
    torch.manual_seed(0)
    return SwAV(Tiny(), **{"hidden": 16, "dim": 6, "prototypes": 5, "local_views": 2, **settings}).double()


@pytest.mark.parametrize("queue", [0, 20])
def test_every_view_guesses_the_codes_of_each_large_one_but_itself(queue):
    method = make(queue=queue, temperature=0.2, epsilon=0.1, iterations=4)
    method.before_step(LATE)
    record = method.observe(crops(), LATE)
    losses = method.judge(record)
    prototypes, rows = method.prototypes.weight, {i: F.normalize(x.projection) for i, x in record.student.items()}
    assert_close(prototypes.norm(dim=1), torch.ones(5, dtype=torch.float64))
    codes, values = {}, []
    for j in (0, 1):
        stored = [method.queues[j].rows] if queue else []
        scores = torch.cat([rows[j], *stored]) @ prototypes.T
        codes[j] = by_hand(scores.tolist(), 0.1, 4)[:8]
    for i, j in ((0, 1), (1, 0), (2, 0), (2, 1), (3, 0), (3, 1)):
        logs = ((rows[i] @ prototypes.T) / 0.2).log_softmax(1)
        values += [-sum(codes[j][b, k] * logs[b, k] for k in range(5)) for b in range(8)]
    assert_close(losses.total, torch.stack(values).mean())
    entropies = [-(c * c.log()).sum(1) / math.log(5) for c in codes.values()]
    assert_close(losses.scalars["code_entropy"], torch.cat(entropies).mean())
    losses.total.backward()
    assert method.prototypes.weight.grad.abs().max() > 0 and method.student.backbone.conv.weight.grad.abs().max() > 0


def test_compare_takes_the_codes_of_the_batch_alone():
    method = make()
    method.before_step(LATE)
    record = method.observe(crops(), LATE)
    losses = method.judge(record)
    each = [record.compare(record.student[i].row, record.teacher[j].row).mean() for i, j in record.directions]
    assert_close(losses.total, torch.stack(each).mean())
    queued = make(queue=20)
    queued.before_step(LATE)
    other = queued.observe(crops(), LATE)
    queued.judge(other)
    assert_close(other.compare(record.student[0].row, record.teacher[1].row).mean(), each[0])


def test_the_queue_waits_until_it_is_full_and_takes_the_rows_of_each_large_view():
    method = make(queue=20, queue_start=0.5)
    plain = make()
    for step, used in ((0, False), (4, False), (5, True)):
        now = Progress(step, 10)
        losses = [m(crops(), now).total for m in (method, plain)]
        assert torch.equal(*losses) != used
    # From the start, but not full before 20 rows of 8 a step.
    eager = make(queue=20, queue_start=0.0)
    assert [torch.equal(eager(crops(), Progress(s, 10)).total, plain(crops(), Progress(s, 10)).total)
            for s in (0, 2, 3)] == [True, True, False]  # fmt: skip
    record = method.observe(crops(), LATE)
    method.judge(record)
    method.after_step(LATE)
    for j, queue in enumerate(method.queues):
        assert_close(queue.rows[:8], F.normalize(record.student[j].projection, dim=1))
        assert queue.pointer == 8


def test_the_prototypes_do_not_learn_in_the_first_epoch():
    for epoch, learns in ((0, False), (1, True)):
        method = make()
        method.before_step(LATE)
        method(crops(), Progress(8, 10, epoch, 2)).total.backward()
        assert (method.prototypes.weight.grad is not None) == learns
        assert method.student.projector[0].weight.grad.abs().max() > 0


def test_the_queue_fits_the_data():
    fitted = [SwAV.fit_to(Situation(images, 64), {"queue": 3840})["queue"] for images in (1000, 100_000)]
    assert fitted == [250, 3840]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prototypes": 0}, "prototypes must be a number above 0"),
        ({"epsilon": 0.0}, "epsilon must be a number above 0"),
        ({"iterations": 0}, "iterations must be a number above 0"),
        ({"queue_start": 2.0}, "queue_start must lie between 0 and 1"),
        ({"queue": -3}, "count from 0, not -3"),
        ({"local_views": -1}, "count from 0, not -1"),
    ],
)
def test_settings_that_cannot_be_meant(settings, message):
    with pytest.raises(UserError) as caught:
        SwAV(Tiny(), **settings)
    assert message in str(caught.value)
