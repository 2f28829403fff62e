"""BE's mix, its step over MoCo, its triplets and its schedule against the official code."""

import pytest
import torch
import torch.nn.functional as F
from small import Flat
from torch.testing import assert_close

from twofold.methods.moco import MoCo
from twofold.objectives.contrastive import triplet
from twofold.processes import mirror
from twofold.seam import Progress, Views
from twofold.training.plan import Plan
from twofold.videos.methods.be import BE
from twofold.videos.views.static_frame import static_frame_mix

CLOSE = {"rtol": 0, "atol": 1e-5}
NOW = Progress(step=0, steps=10)


def test_the_mix(golden):
    file = golden("video_be")
    clips = torch.as_tensor(file["mix_x"])
    assert len(file["mix_y"])
    for mixed, share, frames in zip(file["mix_y"], file["mix_lambda"], file["mix_frame"], strict=True):
        assert share < float(file["mix_alpha"])
        found = static_frame_mix(clips, torch.as_tensor(frames), torch.full((len(clips),), float(share)))
        assert_close(found, torch.as_tensor(mixed), **CLOSE)


class Unmixed(BE):
    """BE whose queries are given as they are, as rows."""

    def show(self, shown, views, progress):
        return shown


def test_a_step_over_moco(golden):
    file = golden("video_be")
    queue, rows = torch.as_tensor(file["moco_queue0"]), [torch.as_tensor(file[f"moco_{name}"]) for name in "qkn"]
    dim, temperature = queue.shape[1], float(file["moco_T"])
    method = MoCo(
        Flat(width=dim), queue=len(queue), dim=dim, head="linear", temperature=temperature, key_bn="plain",
        additions=[Unmixed()],
    )  # fmt: skip
    for branch in (method.student, method.teacher):
        torch.nn.init.eye_(branch.projector.weight)
        torch.nn.init.zeros_(branch.projector.bias)
    method.queue.rows.copy_(queue)
    assert method.view_count == len(rows)
    record = method.observe(Views(rows, [], torch.arange(len(rows[0]))), NOW)
    losses = method.judge(record)
    assert_close(losses.total.detach().double(), torch.as_tensor(file["moco_loss"]).double(), **CLOSE)
    method.after_step(NOW)
    assert_close(method.queue.rows, torch.as_tensor(file["moco_queue1"]), **CLOSE)


def test_the_logits_are_those_of_the_key_the_queue_and_the_other_time(golden):
    file = golden("video_be")
    query, key, other = (torch.as_tensor(file[f"moco_{name}"]) for name in "qkn")
    queue, logits = torch.as_tensor(file["moco_queue0"]), torch.as_tensor(file["moco_logits"])
    found = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T, (query * other).sum(1, keepdim=True)], 1)
    assert_close(found / float(file["moco_T"]), logits, rtol=0, atol=1e-4)
    loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))
    assert loss.item() == pytest.approx(float(file["moco_loss"]), abs=1e-5)


def test_the_triplets_of_the_same_video_and_of_others(golden):
    file = golden("video_be")
    query, key, other = (torch.as_tensor(file[f"moco_{name}"]) for name in "qkn")
    margin = float(file["triplet_margin"])
    found = torch.stack([triplet(query, key, n, margin).mean() for n in (other, mirror(other))])
    assert_close(found.double(), torch.as_tensor(file["triplet_intra_inter"]).double(), **CLOSE)


def test_the_schedule(golden):
    file = golden("video_be")
    rates, ends = file["pt_lr_1_240"], file["pt_lr_decay_epochs"]
    plan = Plan(
        base_lr=float(file["pt_lr_base"]), scaling="none", schedule="step", epochs=len(rates), batch_size=2,
        milestones=tuple(int(end) for end in ends), drop=float(file["pt_lr_decay_rate"]),
    )  # fmt: skip
    length = plan.length(2)
    found = [plan.rate(step, length) for step in range(length.steps)]
    assert found == pytest.approx(list(rates), abs=1e-9)
