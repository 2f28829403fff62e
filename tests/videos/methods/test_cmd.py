"""CMD: both losses against loops by hand, the fused map, what it counts, what it refuses, that each task is learned."""

import math
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from tests.methods.small import made, ready_for_clips
from tests.tiny import ClipNet, make
from twofold.errors import UserError
from twofold.methods.addition import Addition
from twofold.seam import Progress, Views
from twofold.videos.backbones import build_backbone
from twofold.videos.backbones.encoders import MotionEncoder, PictureEncoder
from twofold.videos.backbones.fused import fuse, fused_features, fused_shape
from twofold.videos.methods.cmd import CMD
from twofold.videos.views.context import Motion

NOW = Progress(2, 10, seed=3)


def cosine(a, b):
    lengths = [math.sqrt(sum(x * x for x in row)) for row in (a, b)]
    return sum(x * y for x, y in zip(a, b, strict=True)) / (lengths[0] * lengths[1])


def by_hand(rows, keys, temperature):
    """Mean over rows of -log softmax of the cosine with the key of the same number, among all keys."""
    losses = []
    for i, row in enumerate(rows):
        logits = [cosine(row, key) / temperature for key in keys]
        losses.append(math.log(sum(math.exp(v) for v in logits)) - logits[i])
    return sum(losses) / len(losses)


ready = partial(ready_for_clips, "cmd")


def test_both_losses_by_hand():
    method, views = ready()
    record = method.observe(views, NOW)
    losses = method.judge(record)
    map, maps = record.student[0].map, views.task.maps.double()
    clips = method.clip_head(map.mean((2, 3, 4))).tolist()
    pictures = method.picture_head(method.picture_network(views.tensors[1][:, :, 0])).tolist()
    assert losses.terms["base_context"].value.item() == pytest.approx(by_hand(clips, pictures, 0.1))
    # Queries: clip by clip, position by position. Keys: what follows each clip, then each clip's other times in turn.
    batch, others, positions = 3, 3, 16
    queries = method.predicted_head(method.predict(map).flatten(0, 1)).tolist()
    order = [(b, n) for n in range(1 + others) for b in range(batch)]
    stacked = torch.stack([maps[b, n] for b, n in order])
    cells = method.motion_network(stacked)
    cells = torch.nn.functional.adaptive_avg_pool3d(cells, (1, 4, 4)).flatten(2).transpose(1, 2).flatten(0, 1)
    keys = method.motion_head(cells).tolist()
    assert len(queries) == batch * positions and len(keys) == (1 + others) * batch * positions
    assert losses.terms["base_motion"].value.item() == pytest.approx(by_hand(queries, keys, 0.1))
    assert losses.scalars["cmd_motion_chance"].item() == pytest.approx(1 / len(keys))
    assert losses.scalars["cmd_context_chance"].item() == pytest.approx(1 / 3)


def test_keys_and_queries_both_get_gradient():
    method, views = ready()
    method(views, NOW).total.backward()
    for network in (method.student, method.motion_network, method.picture_network, method.transformer):
        assert all(p.grad is not None for p in network.parameters())
    assert method.motion_network.network.stem[0].weight.grad.abs().max() > 0


def test_a_weight_of_zero_leaves_a_task_and_its_networks_out():
    method, views = ready(motion=0.0)
    assert set(method(views, NOW).terms) == {"base_context"} and not hasattr(method, "transformer")
    method, views = ready(context=0.0)
    assert set(method(views, NOW).terms) == {"base_motion"} and not hasattr(method, "picture_network")


def test_stages_are_folded_frame_by_frame():
    third = torch.arange(2.0)[None, :, None, None, None] * 100 + torch.arange(4.0)[None, None, :, None, None]
    third = third.expand(1, 2, 4, 4, 4)
    fourth = torch.zeros(1, 4, 2, 2, 2)
    fine = fuse(third, fourth, 4)
    assert fine.shape == (1, 4, 2, 4, 4)
    # Even frames of both channels, then odd ones, at each of the fourth's frames.
    assert fine[0, :, 0, 0, 0].tolist() == [0, 1, 100, 101] and fine[0, :, 1, 0, 0].tolist() == [2, 3, 102, 103]
    assert fuse(third, fourth, 2).shape == (1, 4, 2, 2, 2)
    assert fuse(third[:, :1], fourth, 4) is fourth


@pytest.mark.parametrize("name", ["r3d10-small", "c3d"])
def test_backbones_give_the_map_that_their_shape_says(name):
    backbone = build_backbone(name, clip_size=64 if name != "c3d" else 112, frames=8 if name != "c3d" else 16)
    shape = fused_shape(backbone)
    clip = torch.randn(1, 3, backbone.frames, backbone.clip_size, backbone.clip_size)
    backbone.eval()
    features = fused_features(backbone, clip)
    assert tuple(features.map.shape[1:]) == shape
    assert_close(features.pooled, backbone(clip).pooled)


@pytest.mark.slow
def test_the_published_shapes():
    backbone = build_backbone("r2plus1d26", clip_size=112, frames=16)
    assert fused_shape(backbone) == (2048, 2, 7, 7)
    assert MotionEncoder(64)(torch.zeros(2, 2, 8, 112, 112)).shape == (2, 512, 1, 7, 7)


def test_networks_of_motion_and_pictures_have_the_published_size():
    count = [sum(p.numel() for p in network.parameters()) / 1e6 for network in (MotionEncoder(64), PictureEncoder(64))]
    assert count == [pytest.approx(14.4, abs=0.1), pytest.approx(4.9, abs=0.05)]


def test_what_stands_still_and_far_keyframes_are_counted():
    method, views = ready()
    maps = torch.zeros_like(views.task.maps)
    maps[0, 0, 0, :, :4, :4] = 1.0  # four of the sixteen positions of one clip of three
    views.task = Motion(maps, torch.tensor([True, False, False]))
    scalars = method(views, NOW).scalars
    assert scalars["cmd_still"].item() == pytest.approx(1 - 4 / 48) and scalars["cmd_far"].item() == pytest.approx(
        1 / 3
    )


def test_far_keyframes_are_said():
    method, _ = ready()
    assert method.alarms({"cmd_far": 0.2}) == []
    (said,) = method.alarms({"cmd_far": 0.5})
    assert "many lie farther than five frames" in said


def test_what_it_refuses():
    for settings, words in (
        ({"context": 0.0, "motion": 0.0}, "not both weights are 0"),
        ({"dim": 9}, r"dim \(9\) must be a multiple of its heads \(2\)"),
        ({"others": -1}, "at least 0"),
        ({"width": 4}, r"width \(4\) must be at least 8"),
    ):
        with pytest.raises(UserError, match=words):
            ready(**settings)
    method, views = ready()
    with pytest.raises(UserError, match="have none"):
        method(Views(views.tensors, [], views.index), NOW)
    with pytest.raises(UserError, match="compares no views"):
        made("cmd+co2", network=ClipNet)

    class Asking(Addition):
        over_pretext, pretext = True, method.pretext

    with pytest.raises(UserError, match="Two tasks"):
        CMD(ClipNet(), dim=8, heads=2, width=8, additions=[Asking()])


def test_it_learns_to_foretell_motion():
    """Clips brighten towards one side, and there the motion will be."""
    torch.manual_seed(0)
    method = make("cmd", ClipNet(), context=0.0)
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    drawn, found = torch.Generator().manual_seed(0), []
    for step in range(150):
        place = torch.randint(0, 4, (12, 4), generator=drawn)
        maps = torch.zeros(12, 4, 2, 4, 8, 8)
        clips = 0.1 * torch.randn(12, 3, 4, 8, 8, generator=drawn)
        for row in range(12):
            for time in range(4):
                maps[row, time, 0, :, 2 * int(place[row, time]) : 2 * int(place[row, time]) + 2] = 1.0
            clips[row, :, :, 2 * int(place[row, 0]) : 2 * int(place[row, 0]) + 2] += 1.0
        views = Views([clips, clips[:, :, :1]], [], torch.arange(12), Motion(maps, torch.zeros(12, dtype=torch.bool)))
        losses = method(views, Progress(step, 150))
        optimizer.zero_grad()
        losses.total.backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), 1.0)
        optimizer.step()
        found.append(losses.total.item())
    assert sum(found[-10:]) < 0.8 * sum(found[:10])
