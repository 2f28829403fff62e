"""Rotation of clips: turns, draws, loss, and that it is learned."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from tests.methods.small import made
from tests.tiny import ClipNet
from twofold.seam import Progress, Views
from twofold.videos.methods.rotation import TURNS, Rotation, turn


def test_each_clip_is_turned_as_torch_turns_it():
    clips, turns = torch.randn(8, 3, 4, 5, 5), torch.arange(8) % TURNS
    for clip, k, found in zip(clips, turns.tolist(), turn(clips, turns), strict=True):
        assert torch.equal(found, torch.rot90(clip, k, (2, 3)))


def test_draws_are_even_and_depend_on_seed_step_and_video_alone():
    index, now = torch.arange(4000), Progress(7, 10, seed=1)
    turns = Rotation.turns(index, now)
    assert torch.equal(turns[5:9], Rotation.turns(index[5:9], now))
    assert not torch.equal(turns, Rotation.turns(index, Progress(8, 10, seed=1)))
    assert_close(torch.bincount(turns) / 4000, torch.full((TURNS,), 0.25), rtol=0, atol=0.03)


def test_loss_and_accuracy_written_out():
    method = made("rotation", network=ClipNet)
    views, now = Views([torch.randn(8, 3, 4, 6, 6)], [], torch.arange(8)), Progress(2, 10)
    assert method.view_count == 1
    losses = method(views, now)
    turns = Rotation.turns(views.index, now)
    answers = method.classifier(method.record.student[0].feature)
    assert_close(losses.terms["base"].value, F.cross_entropy(answers, turns))
    assert_close(losses.scalars["rotation_accuracy"].item(), (answers.argmax(1) == turns).float().mean().item())
    assert losses.scalars["rotation_majority"].item() == pytest.approx(turns.bincount().max().item() / 8)


def test_it_learns_to_tell_turned_clips_apart():
    torch.manual_seed(0)
    method = made("rotation", network=ClipNet)
    optimizer = torch.optim.Adam(method.parameters(), 0.01)
    ramp = torch.linspace(-1, 1, 6)[None, None, None, :, None].expand(16, 3, 2, 6, 6)
    for step in range(60):
        losses = method(Views([ramp + 0.1 * torch.randn(ramp.shape)], [], torch.arange(16)), Progress(step, 60))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert losses.scalars["rotation_accuracy"] > 0.9
