"""Views of clips: alike in all frames, equal to the exact path frame by frame, the same in any batch."""

import pytest
import torch

from twofold.errors import UserError
from twofold.pixels.batch import ImageBatch
from twofold.pixels.views import Augmentation
from twofold.pixels.views.augmentations import Crop, Flip, Normalise, Rotate
from twofold.pixels.views.draw import draw
from twofold.pixels.views.reference import reference_view
from twofold.videos.batch import ClipBatch
from twofold.videos.views import AUGMENTATIONS, augmentation_named
from twofold.videos.views.views import ClipViews, evaluation_view, over_frames

SIZE = 24


def clips(sizes=((40, 56), (33, 30), (40, 56)), frames=3, count=2):
    drawn = torch.Generator().manual_seed(0)
    high, wide = (max(s[axis] for s in sizes) for axis in (0, 1))
    blocks = []
    for _ in range(count):
        block = torch.zeros(len(sizes), frames, high, wide, 3, dtype=torch.uint8)
        for row, (h, w) in enumerate(sizes):
            smooth = torch.rand(frames, 3, 5, 6, generator=drawn)
            shown = torch.nn.functional.interpolate(smooth, (h, w), mode="bicubic").clamp(0, 1)
            block[row, :, :h, :w] = (255 * shown).round().permute(0, 2, 3, 1).to(torch.uint8)
        blocks.append(block.permute(0, 1, 4, 2, 3))
    at = [torch.arange(frames).expand(len(sizes), -1)] * count
    return ClipBatch(torch.arange(5, 5 + len(sizes)), blocks, at, torch.tensor(sizes), torch.full((len(sizes),), 50))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_frame_is_that_of_the_exact_path(name):
    batch, views = clips(), ClipViews(name, SIZE, seed=3, count=2)
    made = views(batch, 1)
    drawn = draw(views.augmentation.pictures, batch.index, batch.size, 3, 1, 2)
    for view, draws in enumerate(drawn):
        clip = batch.clips[views.augmentation.clip_of(view)]
        frames = clip.shape[1]
        assert made.tensors[view].shape == (3, 3, frames, SIZE, SIZE)
        steps = over_frames(draws, batch.index, frames, 3, "frames", 1, view)
        for row in range(len(batch)):
            for frame in range(frames):
                one = ImageBatch(batch.index[row : row + 1], clip[row : row + 1, frame], batch.size[row : row + 1])
                at = row * frames + frame
                own = tuple(step.rows(slice(at, at + 1)) for step in steps)
                exact = reference_view(one, 0, own, SIZE, (views.mean, views.std))
                assert (made.tensors[view][row, :, frame] - exact).abs().max() * 255 * 0.23 < 0.6


def test_a_video_has_the_same_views_in_any_batch_and_others_in_another_epoch():
    batch, views = clips(), ClipViews("be-small", SIZE, seed=3, count=3)
    alone = ClipBatch(batch.index[1:2], [c[1:2] for c in batch.clips], batch.at, batch.size[1:2], batch.count[1:2])
    for whole, one in zip(views(batch, 0).tensors, views(alone, 0).tensors, strict=True):
        assert (whole[1:2] - one).abs().max() < 1e-5
    assert not torch.equal(views(batch, 0).tensors[0], views(batch, 1).tensors[0])


def test_an_extra_view_is_cut_from_a_clip_of_its_own():
    assert [augmentation_named("be").clip_of(view) for view in range(4)] == [0, 0, 1, 2]
    assert [augmentation_named("moco-clips").clip_of(view) for view in range(3)] == [0, 1, 2]
    assert augmentation_named("be").clip_count(3) == 2 and augmentation_named("be").clip_count(2) == 1


def test_evaluation_sees_the_centre_square():
    batch = clips(((40, 64), (64, 40)))
    seen = evaluation_view(batch.clips[0], batch.size, 35, (0.0,) * 3, (1.0,) * 3)
    assert seen.shape == (2, 3, 3, 35, 35)
    expected = batch.clips[0][0, 1, :, 2:37, 14:49].float() / 255
    assert torch.allclose(seen[0, :, 1], expected, atol=1e-6)


def test_a_batch_moves_with_its_lists():
    moved = clips().to("cpu")
    assert len(moved) == 3 and len(moved.clips) == 2 and moved.index.tolist() == [5, 6, 7]


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UserError, match=r'no augmentation of clips "bee".*"be"'):
        augmentation_named("bee")
    with pytest.raises(UserError, match="Rotate comes first"):
        Augmentation(((Crop(), Rotate(10), Flip(), Normalise()),))
