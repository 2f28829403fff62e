"""BE: what is mixed, by what draws, and what each base is given."""

import pytest
import torch
from torch.testing import assert_close

from tests.methods.small import made
from tests.tiny import ClipNet
from twofold.errors import UserError
from twofold.seam import Progress, Views
from twofold.videos.methods.be import BE
from twofold.videos.views.static_frame import static_frame_mix

NOW = Progress(3, 10, seed=5)


def clips(batch=6, views=3, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(batch, 3, 4, 6, 6, generator=drawn) for _ in range(views)]
    return Views(tensors, [], torch.arange(10, 10 + batch))


def test_every_frame_gets_a_share_of_the_static_one_which_itself_stays():
    x = clips().tensors[0].double()
    frame, share = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5, 1.0])
    mixed = static_frame_mix(x, frame, share)
    for b, (k, s) in enumerate(zip(frame.tolist(), share.double().tolist(), strict=True)):
        for t in range(x.shape[2]):
            assert_close(mixed[b, :, t], (1 - s) * x[b, :, t] + s * x[b, :, k], rtol=0, atol=1e-7)
        assert_close(mixed[b, :, k], x[b, :, k])


@pytest.mark.parametrize("draw", ["batch", "clip"])
def test_draws_depend_on_seed_step_and_video_alone(draw):
    be, views = BE(draw=draw), clips()
    whole = be.mix(views.tensors[0], views.index, 0, NOW)
    part = be.mix(views.tensors[0][2:4], views.index[2:4], 0, NOW)
    assert torch.equal(whole[2:4], part)
    for other in (Progress(4, 10, seed=5), Progress(3, 10, seed=6)):
        assert not torch.allclose(be.mix(views.tensors[0], views.index, 0, other), whole)


def shares(draw, steps=400):
    """The shares of a batch of 8, step by step, read off a clip whose first frame is 1 and whose others are 0."""
    be, index = BE(draw=draw, lambda_max=0.3), torch.arange(8)
    x = torch.zeros(8, 1, 2, 1, 1)
    x[:, :, 0] = 1
    found = []
    for step in range(steps):
        mixed = be.mix(x, index, 0, Progress(step, steps))[:, 0, :, 0, 0]
        found.append(torch.maximum(1 - mixed[:, 0], mixed[:, 1]))
    return torch.stack(found)


def test_one_share_a_batch_or_one_a_clip_both_even_up_to_the_largest():
    batch, clip = shares("batch"), shares("clip")
    for found in (batch, clip):
        assert found.max() < 0.3 and found.mean() == pytest.approx(0.15, abs=0.01)
    assert batch.std(1).max() < 1e-6 and clip.std(1).mean() > 0.05


def test_static_frames_are_even_over_the_clip():
    be, steps = BE(lambda_max=1.0), 300
    x = torch.eye(4)[None, None].expand(16, 1, 4, 4)[..., None]  # frame t is the t-th unit vector
    chosen = torch.zeros(4)
    for step in range(steps):
        mixed = be.mix(x, torch.arange(16), 0, Progress(step, steps))[:, 0, :, :, 0]
        chosen += torch.bincount(mixed.sum(1).argmax(1), minlength=4)
    assert_close(chosen / chosen.sum(), torch.full((4,), 0.25), rtol=0, atol=0.02)


def test_only_the_query_is_mixed_and_a_clip_of_another_time_is_a_negative():
    method = made("moco", [BE()], network=ClipNet)
    assert method.view_count == 3
    views = clips(8)
    record = method.observe(views, NOW)
    assert not torch.equal(record.shown[0], views.tensors[0])
    assert torch.equal(record.shown[1], views.tensors[1]) and torch.equal(record.shown[2], views.tensors[2])
    losses = method.judge(record)
    losses.total.backward()
    assert record.kept["be_other_time"].shape == (8, method.dim) and record.kept["be_other_time"].requires_grad
    assert set(losses.terms) == {"base"}


def test_the_negative_counts():
    views, found = clips(8), []
    for other_time in (True, False):
        method = made("moco", [BE(other_time=other_time)], network=ClipNet)
        found.append(method(Views(views.tensors[: method.view_count], [], views.index), NOW).total.item())
    assert found[0] > found[1]


def test_both_views_are_queries_of_a_symmetric_base():
    method = made("byol", [BE()], network=ClipNet)
    views = clips(8, 2)
    record = method.observe(views, NOW)
    assert method.view_count == 2 and not any(map(torch.equal, record.shown, views.tensors))
    with pytest.raises(UserError, match="BYOL takes no further negatives: leave be's other_time out"):
        made("byol", [BE(other_time=True)], network=ClipNet)


@pytest.mark.parametrize("level", ["feature", "map"])
def test_over_a_pretext_task_features_are_drawn_together(level):
    method = made("rotation", [BE(level=level, weight=2.0)], network=ClipNet)
    views = clips(8, 1)
    record = method.observe(views, NOW)
    term = method.judge(record).terms["be"]
    mixed = method.look(method.additions[0].mix(record.shown[0], views.index, 0, NOW))
    own = record.student[0]
    pair = (own.feature, mixed.feature) if level == "feature" else (own.map, mixed.map)
    assert term.weight == 2.0 and method.view_count == 1
    assert_close(term.value, (pair[0] - pair[1]).square().mean())
    term.value.backward()
    assert method.student.backbone.layers[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("settings", [{"lambda_max": 0.0}, {"lambda_max": 1.5}, {"weight": 0.0}])
def test_what_cannot_be_meant_is_refused(settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        BE(**settings)
