"""CMD's clips, keyframes and motion: which frames are taken, and that motion is cut and mirrored with the pictures."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tests.videos.conftest import write_video
from twofold.pixels.reading.failure import DecodeError
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import Crop, Flip, Normalise
from twofold.videos.batch import ClipBatch
from twofold.videos.motion import cut, resize
from twofold.videos.reading.clips import Clips, drawn
from twofold.videos.reading.opening import open_source
from twofold.videos.reading.store import VideoStore
from twofold.videos.rule import Sampling
from twofold.videos.sampling import Film
from twofold.videos.views import ClipAugmentation
from twofold.videos.views.context import ContextAndMotion, keyframe, other_places
from twofold.videos.views.views import ClipViews

SAMPLING = Sampling(4, 2)


def choose(pretext, n, keys=(0,), index=0):
    return pretext.choose(SAMPLING, Film([np.arange(n)], np.array(keys)), index, 0, 0, 2)


def test_videos_of_fewer_frames_than_the_window_are_refused_by_number():
    pretext = ContextAndMotion(future=4)
    assert pretext.window(SAMPLING) == 7 + 2 + 4
    with pytest.raises(DecodeError, match="12 frames in a row, fewer than the 13"):
        choose(pretext, 12)
    chosen = choose(pretext, 13)
    assert chosen.clips[0].tolist() == [0, 2, 4, 6] and chosen.motion[0].tolist() == [9, 10, 11, 12]
    assert pretext.remarks(SAMPLING, [12, 13]) and not pretext.remarks(SAMPLING, [13])


def test_the_nearest_keyframe_is_taken_where_none_is_near_and_told():
    keys = np.array([0, 100, 300])
    assert keyframe(keys, 104, 110, 0.5) == (100, False)
    assert keyframe(keys, 106, 110, 0.5) == (100, True)
    assert keyframe(keys, 240, 250, 0.5) == (300, True)
    assert {keyframe(np.arange(0, 50, 4), 20, 30, u / 10)[0] for u in range(10)} == {16, 20, 24, 28, 32}


def test_other_times_are_unlike_and_do_not_touch_what_is_foretold():
    assert other_places(13, 9, 4, [0.0, 0.99, 0.5]) == [0, 5, 3]
    assert sorted(other_places(8, 4, 4, [0.3, 0.3, 0.3])) == [0, 0, 0]
    assert other_places(4, 0, 4, [0.5]) == [0]


@pytest.mark.parametrize("cell", [1, 8])
def test_a_cut_of_cells_is_that_of_their_pixels(cell):
    drawn_from = torch.Generator().manual_seed(0)
    cells = torch.randn(2, 3, 5, 7, 2, generator=drawn_from)
    high, wide = (5 * cell - 3 * (cell > 1), 7 * cell)
    boxes = torch.tensor([[1.0, 0.0, 5.0 * cell, 3.0 * cell], [0.0, cell, wide, high - cell]])
    found = cut(cells, boxes, torch.tensor([[high, wide]] * 2), 6, cell)
    pixels = cells.repeat_interleave(cell, 2).repeat_interleave(cell, 3)
    for row, (x, y, w, h) in enumerate(boxes.int().tolist()):
        assert_close(found[row], resize(pixels[row, :, y : y + h, x : x + w], 6, 6), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def panning(tmp_path_factory):
    """Films of 64 x 96 pixels in which a texture moves to the right by 2 pixels a frame and down by 1."""
    folder = tmp_path_factory.mktemp("panning")
    for seed in range(3):
        texture = np.random.default_rng(seed).integers(0, 255, (40, 60, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        film = np.stack([texture[60 - t : 124 - t, 100 - 2 * t : 196 - 2 * t] for t in range(30)])
        write_video(folder / f"{seed}.mp4", film, codec="libx264", gop=10)
    return str(folder)


def batch_of(folder, pretext, memory=None):
    store = VideoStore(open_source(folder), 32, memory, vectors=True)
    return next(
        Clips(store, drawn(SAMPLING, clips=2, seed=0, choose=pretext.choose), workers=1).stream([torch.arange(3)])
    )


@pytest.mark.parametrize("memory", [None, 0])
def test_a_batch_has_the_clip_one_keyframe_and_the_motion(panning, memory):
    batch = batch_of(panning, ContextAndMotion(future=4), memory)
    assert [clip.shape[1] for clip in batch.clips] == [4, 1]
    assert batch.motion.shape == (3, 4, 4, 8, 12, 2) and batch.motion.dtype == torch.int8
    assert batch.stored.tolist() == [[64, 96]] * 3 and batch.size.tolist() == [[32, 48]] * 3
    assert set((batch.at[1] % 10).flatten().tolist()) == {0}
    moving = batch.motion[:, :, :, 2:-2, 2:-2].float().flatten(0, -2)
    assert moving.median(0).values.tolist() == [8, 4]  # in quarters of a pixel


PLAIN = ClipAugmentation(SAMPLING, (0, 1), Augmentation(((Crop((0.2, 0.5)), Flip(0.5), Normalise()),)))


def task_of(folder, **settings):
    pretext = ContextAndMotion(future=4, **settings)
    batch = batch_of(folder, pretext)
    views = ClipViews(PLAIN, 16, seed=2, count=2, pretext=pretext)(batch, 0)
    return views, views.task


def test_vectors_are_mirrored_with_their_pictures(panning):
    views, task = task_of(panning)
    assert task.maps.shape == (3, 4, 2, 4, 16, 16) and not task.far.any()
    flips = views.geometry[0].flip
    assert flips.any() and not flips.all()
    _, official = task_of(panning, flipped="official")
    for row, mirrored in enumerate(flips.tolist()):
        dx, dy = task.maps[row, 0].flatten(1).median(1).values.tolist()
        assert dx == pytest.approx(-0.2 if mirrored else 0.2, abs=0.03) and dy == pytest.approx(0.1, abs=0.03)
        assert official.maps[row, 0, 0].median() == pytest.approx(0.2, abs=0.03)
        assert_close(official.maps[row, 0].abs(), task.maps[row, 0].abs())


def test_vectors_grow_with_the_crop_and_lose_fractions_where_asked(panning):
    views, plain = task_of(panning)
    _, scaled = task_of(panning, scaled=True)
    box = views.geometry[0].box * 2  # of films shrunk to half
    grown = 16 / (box[:, 2:] - box[:, :2])
    wanted = (plain.maps[:, 0] * grown[:, :, None, None, None]).clamp(-1, 1)
    assert_close(scaled.maps[:, 0], wanted, rtol=0, atol=1e-5)
    _, whole = task_of(panning, whole=True)
    values = whole.maps.abs() * 10
    assert ((values * 1e3).round() % 1e3 == 0).float().mean() > 0.5


def test_motion_lies_where_the_pictures_show_it():
    """One moving cell of a still film, under many crops: seen in the view where the crop says."""
    count, side = 16, 64
    motion = torch.zeros(count, 1, 1, 8, 8, 2, dtype=torch.int8)
    motion[:, :, :, 3, 5] = 40
    pictures = torch.zeros(count, 1, 3, side, side, dtype=torch.uint8)
    pictures[:, :, :, 24:32, 40:48] = 255
    at, square = torch.zeros(count, 1, dtype=torch.int64), torch.full((count, 2), side)
    batch = ClipBatch(
        torch.arange(count), [pictures, pictures], [at, at], square, square[:, 0],
        drawn=torch.zeros(count, 1, dtype=torch.int64), motion=motion, stored=square,
    )  # fmt: skip
    augmentation = ClipAugmentation(Sampling(1, 1), (0, 1), Augmentation(((Crop((0.2, 1.0)), Flip(0.5)),)))
    views = ClipViews(augmentation, 32, seed=0, count=2, pretext=ContextAndMotion(others=0))(batch, 0)
    shown, moving = views.tensors[0][:, 0, 0] > 0.5, views.task.maps[:, 0, 1, 0] > 0.5
    assert shown.any() and (shown == moving).float().mean() > 0.97
