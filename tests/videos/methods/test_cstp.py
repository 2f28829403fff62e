"""CSTP: its four tasks against loops by hand, what they count, what they refuse, and that they are learned."""

import math

import pytest
import torch
from torch.testing import assert_close

from tests.methods.small import made
from tests.tiny import ClipNet
from twofold.errors import UserError
from twofold.seam import Progress, Views
from twofold.videos.methods.cstp import CSTP
from twofold.videos.views.overlap import Overlap

NOW = Progress(2, 10, seed=3)


def views_of(batch=8, seed=0, frames=4):
    drawn = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(batch, 3, frames, 6, 6, generator=drawn) for _ in range(2)]
    space, time = (torch.randint(0, 5, (batch,), generator=drawn) for _ in range(2))
    pace, turns = torch.randint(0, 4, (batch,), generator=drawn), torch.randint(0, 4, (batch, 2), generator=drawn)
    return Views(tensors, [], torch.arange(batch), Overlap(space, time, pace, turns, pace == 0))


def linear(layer, row):
    """A linear layer over one row, product by product."""
    weights, offsets = layer.weight.tolist(), layer.bias.tolist()
    return [sum(w * x for w, x in zip(own, row, strict=True)) + b for own, b in zip(weights, offsets, strict=True)]


def by_hand(head, inputs, truth):
    """Mean cross-entropy of a head (linear, batch norm, ReLU, linear) in float64, term by term."""
    first, norm, _, last = head
    rows = [linear(first, row) for row in inputs]
    count, columns = len(rows), list(zip(*rows, strict=True))
    means = [sum(column) / count for column in columns]
    spread = [sum((v - m) ** 2 for v in column) / count for column, m in zip(columns, means, strict=True)]
    losses = []
    for row, right in zip(rows, truth, strict=True):
        hidden = [max(0.0, (v - m) / math.sqrt(s + norm.eps)) for v, m, s in zip(row, means, spread, strict=True)]
        logits = linear(last, hidden)
        losses.append(math.log(sum(math.exp(v) for v in logits)) - logits[right])
    return sum(losses) / count


@pytest.mark.parametrize("base", ["byol", "moco", "simclr"])
def test_its_terms_by_hand(base):
    method = made(f"{base}+cstp", network=ClipNet).double()
    views = views_of()
    views.tensors = [x.double() for x in views.tensors]
    record = method.observe(views, NOW)
    losses = method.judge(record)
    first, second = (record.student[view].feature.tolist() for view in (0, 1))
    heads, task = method.additions[0].heads, views.task
    both = [a + b for a, b in zip(first, second, strict=True)]
    assert losses.terms["cstp_space"].value.item() == pytest.approx(by_hand(heads["space"], both, task.space.tolist()))
    assert losses.terms["cstp_time"].value.item() == pytest.approx(by_hand(heads["time"], both, task.time.tolist()))
    assert losses.terms["base"].weight == 0.1 and losses.terms["cstp_pace"].weight == 1.0
    joined = first + second  # one pass of both clips through a head
    pace, turn = task.pace.tolist() * 2, task.turns.T.flatten().tolist()
    assert losses.terms["cstp_pace"].value.item() == pytest.approx(2 * by_hand(heads["pace"], joined, pace))
    assert losses.terms["cstp_turn"].value.item() == pytest.approx(2 * by_hand(heads["turn"], joined, turn))


def test_the_bases_own_comparison_is_as_without_it():
    views = views_of()
    alone = made("byol", network=ClipNet)
    both = made("byol+cstp", network=ClipNet)
    both.load_state_dict(alone.state_dict(), strict=False)
    assert_close(both(views, NOW).terms["base"].value, alone(views, NOW).terms["base"].value)


def test_both_clips_get_gradient_from_the_tasks_over_a_base_that_looks_at_one():
    method = made("moco+cstp", network=ClipNet)
    views = views_of()
    views.tensors = [x.requires_grad_() for x in views.tensors]
    method(views, NOW).total.backward()
    assert all(x.grad.abs().max() > 0 for x in views.tensors)


def test_a_weight_of_zero_leaves_a_task_out():
    method = made("byol", [CSTP(time=0.0, pace=0.0, turn=0.0)], network=ClipNet)
    losses = method(views_of(), NOW)
    assert set(losses.terms) == {"base", "cstp_space"} and set(method.additions[0].heads) == {"space"}
    assert "cstp_time_accuracy" not in losses.scalars


def test_accuracy_stands_beside_what_the_most_frequent_answer_so_far_would_reach():
    method = made("byol+cstp", network=ClipNet)
    counts = torch.zeros(5)
    for seed in range(3):
        views = views_of(seed=seed)
        losses = method(views, NOW)
        counts += torch.bincount(views.task.space, minlength=5)
        assert losses.scalars["cstp_space_majority"].item() == pytest.approx(counts.max().item() / counts.sum().item())
        method.after_step(NOW)
    answers = method.observe(views, NOW)
    method.judge(answers)
    right = (answers.kept["cstp_space_answers"].argmax(2)[0] == views.task.space).float().mean()
    assert method.judge(answers).scalars["cstp_space_accuracy"] == right
    assert losses.scalars["cstp_short"].item() == pytest.approx((views.task.pace == 0).float().mean().item())


def test_what_it_refuses():
    with pytest.raises(UserError, match="weights are at least 0"):
        CSTP(space=-1.0)
    with pytest.raises(UserError, match="these views do not"):
        views = views_of()
        made("byol+cstp", network=ClipNet)(Views(views.tensors, [], views.index), NOW)
    with pytest.raises(UserError, match="compares no views"):
        made("rotation+cstp", network=ClipNet)


def test_it_learns_to_tell_turns_and_overlap():
    torch.manual_seed(0)
    method = made("simclr+cstp", network=ClipNet)
    optimizer = torch.optim.Adam(method.parameters(), 0.02)
    drawn = torch.Generator().manual_seed(0)
    ramp = torch.linspace(-1, 1, 6)[None, :].expand(6, 6)
    for _ in range(90):
        turns = torch.randint(0, 4, (32, 2), generator=drawn)
        space = torch.randint(0, 5, (32,), generator=drawn)
        zeros = torch.zeros(32, dtype=torch.int64)
        tensors = []
        for view in (0, 1):
            turned = torch.stack([torch.rot90(ramp, int(k), (0, 1)) for k in turns[:, view]])
            clip = turned[:, None, None].expand(32, 3, 4, 6, 6) + view * space[:, None, None, None, None]
            tensors.append(clip + 0.1 * torch.randn(32, 3, 4, 6, 6, generator=drawn))
        losses = method(Views(tensors, [], torch.arange(32), Overlap(space, zeros, zeros, turns, zeros > 0)), NOW)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        method.after_step(NOW)
    assert losses.scalars["cstp_turn_accuracy"] > 0.9 and losses.scalars["cstp_space_accuracy"] > 0.6
