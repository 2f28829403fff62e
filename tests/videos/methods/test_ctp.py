"""CtP: targets, losses and RoIAlign by hand, what is counted and refused, and that patches are followed."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from tests.methods.small import made, ready_for_clips
from tests.tiny import ClipNet, Net, make
from twofold.errors import UserError
from twofold.nets.features import Features
from twofold.seam import Progress, Views
from twofold.videos.backbones import build_backbone
from twofold.videos.methods.ctp import CtP, inverse, overlap, targets
from twofold.videos.reading.clips import Clips, drawn
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore
from twofold.videos.views import augmentation_named
from twofold.videos.views.patches import Tracks, trajectories
from twofold.videos.views.views import ClipViews

NOW = Progress(2, 10, seed=3)


def smooth(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


ready = partial(ready_for_clips, "ctp")


def test_losses_by_hand():
    method, views = ready()
    torch.nn.init.normal_(method.head[2].weight, std=3.0)
    record = method.observe(views, NOW)
    losses = method.judge(record)
    boxes, told = views.task.boxes.double(), record.kept["ctp_answers"]
    place = size = count = 0
    for b in range(3):
        for p in range(2):
            x0, y0, x1, y1 = boxes[b, p, 0].tolist()
            for t in range(4):
                left, top, right, bottom = boxes[b, p, t].tolist()
                moved = [(left + right - x0 - x1) / 2, (top + bottom - y0 - y1) / 2]
                grown = [
                    math.log(max(right - left, 1) / max(x1 - x0, 1)),
                    math.log(max(bottom - top, 1) / max(y1 - y0, 1)),
                ]
                wanted = [d * 112 / 8 / 0.8 for d in moved] + [d / 0.04 for d in grown]
                gaps = [smooth(a - w) for a, w in zip(told[b, p, t].tolist(), wanted, strict=True)]
                place, size, count = place + sum(gaps[:2]), size + sum(gaps[2:]), count + 1
    assert losses.terms["base_place"].value.item() == pytest.approx(place / count)
    assert losses.terms["base_size"].value.item() == pytest.approx(size / count)


def test_targets_are_turned_back_into_boxes():
    boxes = trajectories(torch.arange(20), 3, 8, 112, 0, 0).double()
    wide = ((boxes[..., 2:] - boxes[..., :2]) >= 1).all(3)
    found = inverse(targets(boxes, 112), boxes[:, :, :1], 112)
    assert wide.float().mean() > 0.95
    assert_close(found[wide], boxes[wide], rtol=0, atol=1e-6)
    half = inverse(targets(boxes / 2, 56), boxes[:, :, :1] / 2, 56)
    big = ((boxes[..., 2:] - boxes[..., :2]) >= 2).all(3).all(2)
    assert_close(half[big], boxes[big] / 2, rtol=0, atol=1e-6)


def test_what_is_cut_from_the_map_by_hand():
    """Of a map that rises by 1 a cell across and 10 a cell down, RoIAlign gives the value at each bin's middle."""
    method, _ = ready(patches=1)
    method.squeeze.weight.data.zero_()
    method.squeeze.weight.data[:, 0, 0] = 1.0  # every channel takes the first one's first frame
    method.squeeze.bias.data.zero_()
    across, down = torch.arange(8.0).double(), torch.arange(8.0).double()
    map = torch.zeros(1, 8, 4, 8, 8).double()
    map[:, 0, 0] = 1 + across[None] + 10 * down[:, None]
    box = torch.tensor([[[8.0, 16.0, 48.0, 56.0]]]).double()  # of a view of 64 pixels, 8 of them a cell
    seen = []
    method.head = torch.nn.Sequential(Kept(seen), *method.head)
    method.predict(map, box, 64)
    cut = seen[0].view(8, 5, 5)[3]
    for row in range(5):
        for column in range(5):
            x, y = (8 + 40 * (column + 0.5) / 5) / 8 - 0.5, (16 + 40 * (row + 0.5) / 5) / 8 - 0.5
            assert cut[row, column].item() == pytest.approx(1 + x + 10 * y, abs=1e-5)


class Kept(torch.nn.Module):
    """Keeps what comes by."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, x):
        self.seen.append(x)
        return x


def test_what_is_counted():
    method, views = ready()
    for parameter in method.head[2].parameters():
        parameter.data.zero_()
    views.task = Tracks(views.task.boxes, torch.ones_like(views.task.visible))
    views.task.visible[0, 0, 2] = False
    scalars = method(views, NOW).scalars
    assert_close(scalars["ctp_error"], scalars["ctp_error_still"])
    boxes = views.task.boxes.double()
    gap = (
        ((boxes[..., :2] + boxes[..., 2:] - boxes[:, :, :1, :2] - boxes[:, :, :1, 2:]) / 2).norm(dim=3).mean() * 112 / 8
    )
    assert scalars["ctp_error"].item() == pytest.approx(gap.item())
    hidden = overlap(boxes[0, 0, 0], boxes[0, 0, 2])
    first = boxes[0, 0, 0]
    if ((first[2:] - first[:2]) >= 1).all():
        assert scalars["ctp_iou_hidden"].item() == pytest.approx(hidden.item())
    assert overlap(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])).item() == pytest.approx(1 / 3)


def test_what_it_refuses():
    for settings, words in (
        ({"patches": 9}, "1 to 8 patches"),
        ({"patches": 0}, "patches"),
        ({"place": 0.0, "size": 0.0}, "not both are 0"),
        ({"visible": 1.5}, "visible"),
    ):
        with pytest.raises(UserError, match=words):
            ready(**settings)
    method, views = ready()
    with pytest.raises(UserError, match="have none"):
        method(Views(views.tensors, [], views.index), NOW)
    with pytest.raises(UserError, match="compares no views"):
        made("ctp+cstp", network=ClipNet)
    with pytest.raises(UserError, match="map over time and space"):
        make("ctp", Net())


class Looking(ClipNet):
    """Frames side by side as channels: enough to see where a bright patch goes."""

    width = map_width = 16

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv3d(3, 16, (4, 3, 3), padding=(0, 1, 1)), torch.nn.ReLU())
        self.cells = (1, 16, 16)

    def forward(self, x):
        map = self.layers(x)
        return Features(map, map.mean((2, 3, 4)))


def test_it_learns_to_follow():
    torch.manual_seed(0)
    method = make("ctp", Looking(), patches=1, hidden=64)
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    for step in range(250):
        index = torch.arange(32) + 32 * step
        boxes = trajectories(index, 1, 4, 16, 0, 0)
        boxes[..., 2:] = (boxes[..., :1] * 0 + boxes[:, :, :1, 2:] - boxes[:, :, :1, :2]) + boxes[..., :2]
        clips = torch.zeros(32, 3, 4, 16, 16)
        for row in range(32):
            for t in range(4):
                left, top, right, bottom = boxes[row, 0, t].int().tolist()
                clips[row, :, t, top:bottom, left:right] = 1.0
        views = Views([clips], [], index, Tracks(boxes, torch.ones(32, 1, 4, dtype=torch.bool)))
        losses = method(views, Progress(step, 250))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert losses.scalars["ctp_error"] < 0.6 * losses.scalars["ctp_error_still"]


@pytest.mark.slow
def test_real_clips_are_learned_by_heart():
    """Sixteen clips of examples/actions at 48 px, 160 steps: docs/methods/ctp.md has what comes out."""
    torch.manual_seed(0)
    backbone = build_backbone("r3d10-small", clip_size=48, frames=8, last_stage="dense")
    method = CtP(backbone, hidden=256)
    source = open_source(str(Path(__file__).parents[3] / "examples" / "actions" / "train"))
    sampling = augmentation_named("ctp-small").sampling
    clips = Clips(VideoStore(source, 64), drawn(sampling, clips=1, seed=0), workers=1)
    batch = next(clips.stream([torch.arange(16)]))
    views = ClipViews("ctp-small", 48, seed=0, count=1, pretext=method.pretext)(batch, 0)
    optimizer = torch.optim.Adam(method.parameters(), 1e-3)
    for step in range(160):
        losses = method(views, Progress(step, 160))
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    print({name: round(value.item(), 3) for name, value in losses.scalars.items()})
    assert losses.scalars["ctp_error"] < 0.1 * losses.scalars["ctp_error_still"]
    assert losses.scalars["ctp_iou_hidden"] > 0.9
