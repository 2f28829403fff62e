"""Pairs of clips: overlaps are what the labels say, in the frames that are read and in the pixels that are shown."""

import numpy as np
import pytest
import torch

from twofold.randomness import uniforms
from twofold.videos.batch import ClipBatch
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Film
from twofold.videos.views import augmentation_named
from twofold.videos.views.overlap import PACES, RATES, TRIES, Overlaps, place_boxes, place_clips
from twofold.videos.views.views import ClipViews

SIDE = 24


def choose(n, index=0, epoch=0, rule="official", frames=8, clips=2):
    film = Film([np.arange(n)], np.array([0]))
    return Overlaps(rule).choose(Sampling(frames, 1), film, index, 0, epoch, clips)


@pytest.mark.parametrize("rule", ["official", "balanced"])
def test_clips_have_one_pace_and_overlap_by_the_labels_rate(rule):
    seen = set()
    for index in range(300):
        chosen = choose(120, index, rule=rule)
        time, pace, short = chosen.drawn
        first, second = chosen.clips
        span = 7 * PACES[pace]
        assert not short and (np.diff(first) == PACES[pace]).all() and (np.diff(second) == PACES[pace]).all()
        assert abs(first[0] - second[0]) == int((1 - RATES[time]) * span)
        assert min(first[0], second[0]) >= 0 and max(first[-1], second[-1]) < 120
        seen.add((time, pace))
    assert len(seen) == 20


@pytest.mark.parametrize("n", [1, 5, 7, 8])
@pytest.mark.parametrize("rule", ["official", "balanced"])
def test_videos_too_short_for_another_overlap_are_told(n, rule):
    chosen = choose(n, rule=rule)
    assert chosen.drawn == (0, 0, 1)
    assert all((clip < n).all() for clip in chosen.clips)
    if n <= 7:
        assert np.array_equal(chosen.clips[0], np.arange(8) % n) and np.array_equal(*chosen.clips)


def test_the_fewest_frames_for_another_overlap():
    numbers = [0.0, 0.0, 0.3, 0.0] * 40
    assert place_clips(8, Sampling(8, 1), "official", numbers) == ((0, 0), 0, 0, True)
    assert place_clips(9, Sampling(8, 1), "official", numbers) == ((0, 1), 1, 0, False)


def test_what_is_drawn_is_a_function_of_seed_epoch_and_index():
    same, again, later = choose(300, 5), choose(300, 5), [choose(300, 5, epoch=epoch) for epoch in range(1, 5)]
    assert same.drawn == again.drawn and all(map(np.array_equal, same.clips, again.clips))
    assert any(not np.array_equal(same.clips[0], other.clips[0]) for other in later)
    assert len(choose(300, clips=3).clips) == 3


def test_clips_lie_within_a_stretch_and_longer_ones_are_cut_more_often():
    film, seen = Film([np.arange(40), np.arange(40, 45), np.arange(45, 200)], np.array([0])), []
    for index in range(200):
        clips = Overlaps().choose(Sampling(8, 1), film, index, 0, 0, 2).clips
        seen.append({int(np.searchsorted([40, 45], frame, side="right")) for clip in clips for frame in clip})
    assert all(len(own) == 1 for own in seen) and {1} not in seen
    assert 10 < sum(own == {0} for own in seen) < 80


@pytest.mark.parametrize("room", [(256, 340), (48, 32), (9, 12), (8, 200)])
def test_balanced_boxes_have_every_rate_alike(room):
    count = 3000
    numbers = uniforms(torch.arange(count), 8 * TRIES + 1, 0, "boxes")
    (first, second), labels = place_boxes(torch.tensor([room]).expand(count, 2), numbers, "balanced")
    assert (abs(torch.bincount(labels, minlength=5) / count - 0.2) < 0.04).all()
    for box in (first, second):
        assert (box[:, :2] >= 0).all() and (box[:, :2] + box[:, 2:] <= torch.tensor([room[1], room[0]])).all()
    assert torch.equal(first[:, 2:], second[:, 2:]) and (first[:, 2:] >= 1).all()
    if min(room) > 40:
        sides = torch.minimum(first[:, :2], second[:, :2]) + first[:, 2:] - torch.maximum(first[:, :2], second[:, :2])
        gap = sides.prod(1) / first[:, 2:].prod(1) - torch.tensor(RATES, dtype=torch.float64)[labels]
        assert gap.max() <= 1e-9 and gap.min() > -0.02


def places(sizes, frames=4):
    """A batch whose pixels say where they lie: red across, green down, in a frame of these sizes."""
    high, wide = (max(size[axis] for size in sizes) for axis in (0, 1))
    block = torch.zeros(len(sizes), frames, 3, high, wide, dtype=torch.uint8)
    for row, (h, w) in enumerate(sizes):
        block[row, :, 0, :h, :w] = torch.linspace(0, 250, w)[None].round().to(torch.uint8)
        block[row, :, 1, :h, :w] = torch.linspace(0, 250, h)[:, None].round().to(torch.uint8)
    at = torch.zeros(len(sizes), frames, dtype=torch.int64)
    drawn = torch.tensor([[0, 1, 0]]).expand(len(sizes), 3)
    count = torch.full((len(sizes),), 50)
    return ClipBatch(torch.arange(len(sizes)), [block, block], [at, at], torch.tensor(sizes), count, drawn)


def seen_box(view, turn, mirrored):
    """Left, right, top and bottom of what a view shows, as shares of the frame, once mirror and turn are undone."""
    upright = torch.rot90(view.flip(-1) if mirrored else view, -turn, (-2, -1))
    across, down = upright[0].mean(0), upright[1].mean(1)
    assert (across.diff() >= -1e-4).all() and (down.diff() >= -1e-4).all()
    return [x * 255 / 250 for x in (across[0], across[-1], down[0], down[-1])]


@pytest.mark.parametrize("rotate", ["before_crop", "after_crop"])
def test_views_show_their_boxes_turned_as_told(rotate):
    plain = augmentation_named("cstp-small").pictures
    ops = tuple(op for op in plain.views[0] if type(op).__name__ in ("Crop", "Flip"))
    pictures = type(plain)((ops,))
    augmentation = type(augmentation_named("cstp-small"))(Sampling(4, 1), (0, 1), pictures)
    batch = places([(60, 80)] * 24 + [(60, 60)] * 8)
    views = ClipViews(augmentation, SIDE, seed=1, count=2, pretext=Overlaps("balanced", rotate))(batch, 0)
    task = views.task
    overlaps = []
    for row in range(len(batch)):
        high, wide = batch.size[row].tolist()
        boxes = []
        for view in (0, 1):
            geometry, turn = views.geometry[view], int(task.turns[row, view])
            shown, mirrored = views.tensors[view][row, :, 0], bool(geometry.flip[row])
            if rotate == "after_crop":  # the mirror first, the turn last
                shown, turn = torch.rot90(shown, -turn, (-2, -1)), 0
            left, right, top, bottom = seen_box(shown, turn, mirrored)
            box = geometry.box[row]
            assert abs(left * wide - box[0]) < 4 and abs(right * wide - box[2]) < 4
            assert abs(top * high - box[1]) < 4 and abs(bottom * high - box[3]) < 4
            boxes.append(box)
        sides = torch.minimum(boxes[0][2:], boxes[1][2:]) - torch.maximum(boxes[0][:2], boxes[1][:2])
        area = (boxes[0][2:] - boxes[0][:2]).prod()
        overlaps.append(float(sides.clamp(min=0).prod() / area) - RATES[int(task.space[row])])
    if rotate == "after_crop":
        assert max(map(abs, overlaps)) < 0.05
    else:
        same = (task.turns[:, 0] == task.turns[:, 1]).tolist()
        assert max(abs(gap) for gap, alike in zip(overlaps, same, strict=True) if alike) < 0.05
        assert max(map(abs, overlaps)) > 0.1


def test_all_colours_change_or_none_and_a_channel_is_drawn_for_each_frame():
    maker = ClipViews("cstp-small", SIDE, seed=0, count=2, pretext=Overlaps())
    mean, std = (torch.tensor(values)[:, None, None, None] for values in (maker.mean, maker.std))
    clips = [row * std + mean for view in maker(places([(40, 40)] * 60, 6), 0).tensors for row in view]
    plain = [bool((clip[2].abs() < 1e-4).all()) for clip in clips]  # the pictures have no blue
    assert 0.55 < sum(plain) / len(plain) < 0.85
    grey = [clip for clip in clips if clip[0].allclose(clip[1], atol=1e-4) and clip[1].allclose(clip[2], atol=1e-4)]
    assert grey and any(not clip[0, 0].allclose(clip[0, 1], atol=0.02) for clip in grey)
