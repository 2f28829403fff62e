"""CtP's patches: where they go, what they show, how they are pasted, against loops over pixels."""

import math

import pytest
import torch
from torch.testing import assert_close

from twofold.videos.batch import ClipBatch
from twofold.videos.views import augmentation_named
from twofold.videos.views.courses import course, key_frames
from twofold.videos.views.patches import SHAPES, Appearance, Patches, faded, pasted, stretched, trajectories
from twofold.videos.views.views import ClipViews

SIDE, FRAMES = 24, 5


def test_values_stay_where_keys_are_repeated_and_hit_every_key():
    keys = torch.tensor([[0, 4, 4, 4], [0, 1, 3, 4], [0, 0, 2, 4]])
    values = torch.tensor([[1.0, 5.0, 5.0, 5.0], [0.0, 2.0, -2.0, 1.0], [3.0, 3.0, 7.0, 3.0]])[..., None]
    for ease in range(3):
        found = course(keys, torch.full((3, 3), ease), values, FRAMES)[..., 0]
        for row in range(3):
            assert_close(found[row, keys[row]], values[row, :, 0])
    assert_close(course(keys, torch.zeros(3, 3, dtype=torch.int64), values, FRAMES)[0, :, 0], torch.arange(1.0, 6.0))


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 16])
def test_key_frames_ascend_from_the_first_to_the_last(frames):
    keys, eases = key_frames(torch.rand(200, 6, generator=torch.Generator().manual_seed(0)), frames)
    assert (keys.diff(dim=1) >= 0).all() and (keys[:, 0] == 0).all() and (keys[:, -1] == frames - 1).all()
    assert eases.min() == 0 and eases.max() == 2


@pytest.mark.parametrize("side", [16, 24, 112])
def test_boxes_are_whole_and_inside_and_a_function_of_seed_epoch_and_index(side):
    index = torch.arange(40)
    boxes = trajectories(index, 4, FRAMES, side, 1, 2)
    assert boxes.shape == (40, 4, FRAMES, 4) and (boxes == boxes.round()).all()
    assert (boxes >= 0).all() and (boxes <= side).all() and (boxes[..., 2:] >= boxes[..., :2]).all()
    assert torch.equal(boxes[7:9], trajectories(index[7:9], 4, FRAMES, side, 1, 2))
    assert not torch.equal(boxes, trajectories(index, 4, FRAMES, side, 1, 3))
    assert (boxes[:, :, 0] != boxes[:, :, -1]).any(2).float().mean() > 0.8


def sample(picture, x, y, box):
    """A picture (3, S, S) at a place between pixels, of those within a box alone."""
    left, top, right, bottom = box
    x, y = min(max(x, left), right - 1), min(max(y, top), bottom - 1)
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = min(x0 + 1, right - 1), min(y0 + 1, bottom - 1)
    fx, fy = x - x0, y - y0
    top_row = picture[:, y0, x0] * (1 - fx) + picture[:, y0, x1] * fx
    return top_row * (1 - fy) + (picture[:, y1, x0] * (1 - fx) + picture[:, y1, x1] * fx) * fy


def by_hand(clip, boxes, visible, look, row):
    """One clip (T, 3, S, S) with its patches, pixel by pixel in float64."""
    out = clip.clone()
    sizes = [(b[:, 2] - b[:, 0]).mean() * (b[:, 3] - b[:, 1]).mean() for b in boxes]
    for p in sorted(range(len(boxes)), key=lambda p: -sizes[p].item()):
        source = int(look.source[row, p])
        from_box = boxes[p, source].int().tolist()
        for t in range(len(clip)):
            left, top, right, bottom = boxes[p, t].int().tolist()
            if not visible[p, t]:
                continue
            for y in range(top, bottom):
                for x in range(left, right):
                    u, v = (x + 0.5 - left) / (right - left), (y + 0.5 - top) / (bottom - top)
                    a, b = abs(u - 0.5), abs(v - 0.5)
                    distance = (max(a, b), math.hypot(a, b), a + b)[int(look.shape[row, p])]
                    if distance > 0.5:
                        continue
                    edge = float(look.edge[row, p])
                    alpha = 1.0 if edge >= 0.5 else min(max((0.5 - distance) / (0.5 - edge), 0.0), 1.0)
                    alpha *= float(look.opacity[row, p, t])
                    wide, high = from_box[2] - from_box[0], from_box[3] - from_box[1]
                    at = (from_box[0] + u * wide - 0.5, from_box[1] + v * high - 0.5)
                    out[t, :, y, x] = (1 - alpha) * out[t, :, y, x] + alpha * sample(clip[source], *at, from_box)
    return out


def test_pasting_is_that_of_every_pixel_by_hand():
    generator = torch.Generator().manual_seed(0)
    index = torch.arange(4)
    clips = torch.rand(4, FRAMES, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
    boxes = trajectories(index, 3, FRAMES, SIDE, 0, 0)
    look, visible = Patches(3, 0.6).look(index, FRAMES, 0, 0)
    assert not visible.all() and len(set(look.shape.flatten().tolist())) == 3
    found = pasted(clips, boxes.double(), visible, look, False)
    for row in range(4):
        assert_close(found[row], by_hand(clips[row], boxes[row], visible[row], look, row), rtol=0, atol=1e-6)
    assert (found - clips).abs().flatten(1).max(1).values.min() > 0.1


def test_where_a_patch_is_cut_from_it_is_not_to_be_seen():
    clips = torch.rand(2, FRAMES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    boxes = trajectories(torch.arange(2), 1, FRAMES, SIDE, 0, 0)
    look, visible = Patches(1, 1.0).look(torch.arange(2), FRAMES, 0, 0)
    found = pasted(clips, boxes, visible, look, False)
    for row in range(2):
        assert_close(found[row, look.source[row, 0]], clips[row, look.source[row, 0]], rtol=0, atol=1e-5)


def test_how_patches_look():
    index = torch.arange(4000)
    look, visible = Patches(2).look(index, FRAMES, 0, 0)
    shares = torch.bincount(look.shape.flatten(), minlength=3) / look.shape.numel()
    assert (abs(shares - torch.tensor(SHAPES)) < 0.03).all()
    soft = look.edge[look.edge < 0.5]
    assert 0.45 < len(soft) / look.edge.numel() < 0.55 and soft.min() >= 0.3 and soft.max() <= 0.45
    assert look.opacity.min() >= 0.8 and look.opacity.max() <= 1 and look.opacity.diff(dim=2).abs().max() > 0.01
    assert visible[:, :, 0].all() and visible.gather(2, look.source[..., None]).all()
    boxes = torch.tensor([[[4.0, 4.0, 20.0, 20.0]]]).expand(3, 1, 4)
    whole = faded(boxes, torch.arange(3), torch.full((3,), 0.5), SIDE).sum((1, 2, 3)) / 256
    assert_close(whole, torch.tensor([1.0, math.pi / 4, 0.5]), rtol=0, atol=0.07)


def test_a_patch_is_stretched_to_its_boxes():
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, :, 4:8, 4:8] = torch.arange(4.0)
    found = stretched(picture, torch.tensor([[4.0, 4.0, 8.0, 8.0]]), torch.tensor([[[0.0, 0.0, 8.0, 8.0]]]))
    expected = torch.nn.functional.interpolate(torch.arange(4.0).expand(1, 3, 4, 4), (8, 8), mode="bilinear")
    assert_close(found[0, 0, :, :8, :8], expected[0])


def test_views_show_patches_at_their_boxes_in_any_batch():
    count = 3
    pixels = torch.randint(0, 255, (count, FRAMES, 3, 30, 40), generator=torch.Generator().manual_seed(0)).to(
        torch.uint8
    )
    at, size = torch.zeros(count, FRAMES, dtype=torch.int64), torch.tensor([[30, 40]] * count)
    batch = ClipBatch(torch.arange(count), [pixels], [at], size, size[:, 0])
    plain = ClipViews("ctp-small", SIDE, seed=0, count=1)(batch, 0)
    views = ClipViews("ctp-small", SIDE, seed=0, count=1, pretext=Patches())(batch, 0)
    assert plain.task is None and views.task.boxes.shape == (count, 3, FRAMES, 4)
    changed = (views.tensors[0] - plain.tensors[0]).abs().amax(1) > 1e-4
    for row in range(count):
        for frame in range(FRAMES):
            inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
            for box, seen in zip(
                views.task.boxes[row, :, frame].int().tolist(), views.task.visible[row, :, frame], strict=True
            ):
                inside[box[1] : box[3], box[0] : box[2]] |= seen
            assert not (changed[row, frame] & ~inside).any()
    assert changed.any()
    one = ClipBatch(batch.index[1:2], [pixels[1:2]], [at[1:2]], size[1:2], size[1:2, 0])
    alone = ClipViews("ctp-small", SIDE, seed=0, count=1, pretext=Patches())(one, 0)
    assert_close(alone.tensors[0][0], views.tensors[0][1], rtol=0, atol=1e-5)
    assert augmentation_named("ctp").stride == 2 and isinstance(Patches().look(batch.index, 5, 0, 0)[0], Appearance)
