"""Maps of frozen backbones: sizes, padding, batches, the two stages of a ResNet, raw pixels, memory."""

from __future__ import annotations

import pytest
import torch

from tests.images.dense.tiny import PLAIN, coloured, labelled
from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.dense.maps import (
    DenseFeatures,
    MapSet,
    RawPixels,
    pad_by_reflection,
    reflected,
    working_size,
)
from twofold.images.evaluation.features import InputSettings

INPUTS = InputSettings(64, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    return build_backbone("resnet10", image_size=64, stem="imagenet").eval()


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return build_backbone("timm:vit_tiny_patch16_224", image_size=32).eval()


def test_the_working_size_keeps_the_shape_and_bounds_panoramas():
    assert working_size(360, 480, 192) == (192, 256)
    assert working_size(10, 20, 32) == (32, 64)
    high, wide = working_size(100, 5000, 64)
    assert high * wide <= 4 * 64**2 * 1.05 and wide / high == pytest.approx(50, rel=0.1)


def test_reflection_goes_back_and_forth():
    assert reflected(-2, 9, 4).tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert reflected(0, 3, 1).tolist() == [0, 0, 0]
    views = torch.arange(20.0).view(1, 1, 4, 5)
    padded = pad_by_reflection(views, 4)
    assert padded.shape == (1, 1, 4, 8) and padded[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_by_reflection(views[..., :4], 4).shape == (1, 1, 4, 4)


def test_a_vit_takes_any_size_and_its_padding_is_cut_back(vit):
    mapper = DenseFeatures(vit, InputSettings(50, (0.5,) * 3, (0.25,) * 3))
    picture = coloured(1, (50, 70), 10)[0][0]
    cells, grid = mapper.of(picture)
    assert cells.shape == (192, 4, 5) and (mapper.stride, mapper.centre) == (16, 7.5)
    whole = grid.enlarge(cells)
    assert whole.shape == (192, 50, 70) and whole[:, -1, -1].abs().sum() > 0
    view = pad_by_reflection(mapper.view(picture)[None], 16)
    assert torch.equal(mapper.maps(view)[0], cells)  # a picture that is whole patches already is seen the same


def test_the_map_is_that_of_the_backbone_at_its_own_size(vit, resnet):
    view = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for backbone in (vit, resnet):
        with torch.no_grad():
            torch.testing.assert_close(DenseFeatures(backbone, INPUTS).maps(view), backbone(view).map)


def test_two_stages_of_a_resnet(resnet):
    view = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    last, third, both = (DenseFeatures(resnet, INPUTS, layers) for layers in ("last", "3", "3+4"))
    assert (last.stride, third.stride, both.stride) == (32, 16, 16) and both.centre == 0
    a, b, c = (mapper.maps(view)[0] for mapper in (last, third, both))
    assert a.shape == (512, 3, 2) and b.shape == (256, 6, 4) and torch.equal(c[:256], b)
    torch.testing.assert_close(c[256:, ::2, ::2], a)
    torch.testing.assert_close(c[256:, 1, 0], (a[:, 0, 0] + a[:, 1, 0]) / 2)
    assert not resnet.network.layer3._forward_hooks
    with pytest.raises(UserError, match="no stages 3 and 4"):
        _ = DenseFeatures(build_backbone("convnet", image_size=32), INPUTS, "3").stride


def test_batches_give_what_single_pictures_give_and_training_is_left_as_it_was(resnet):
    pictures = coloured(3, (40, 56))[0] + coloured(2, (56, 40))[0] + coloured(1, (40, 56))[0]
    data, mapper = labelled(pictures), DenseFeatures(resnet, INPUTS)
    resnet.train()
    state = {key: value.clone() for key, value in resnet.state_dict().items()}
    found = list(mapper.stream(data, [5, 0, 1, 3, 4, 2]))
    assert resnet.training and all(torch.equal(value, state[key]) for key, value in resnet.state_dict().items())
    resnet.eval()
    assert [made.number for made in found] == [5, 0, 1, 3, 4, 2]
    for made in found:
        cells, grid = mapper.of(pictures[made.number])
        assert made.grid == grid and (grid.down.source, grid.across.source) == pictures[made.number].shape[1:]
        torch.testing.assert_close(made.map, cells, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("centre", [0.0, 3.5])
def test_raw_pixels_are_the_block_around_each_centre(centre):
    mapper = RawPixels(PLAIN, 8, centre)
    view = torch.randn(1, 3, 20, 16, generator=torch.Generator().manual_seed(0))
    found = mapper.maps(view)[0]
    assert found.shape == (48, 3, 2)
    first = 0 if centre else -4
    rows, columns = reflected(first + 8, first + 16, 20), reflected(first, first + 8, 16)
    block = view[0][:, rows][:, :, columns].unflatten(1, (4, 2)).unflatten(3, (4, 2)).mean((2, 4))
    torch.testing.assert_close(found[:, 1, 0], block.flatten())


def test_maps_are_kept_while_memory_lasts_and_made_again_beyond(resnet):
    pictures, masks = coloured(20, (32, 32))
    data = labelled(pictures, masks)
    calls = []
    object.__setattr__(data, "read_picture", lambda i, short_side: calls.append(i) or pictures[i])
    mapper = DenseFeatures(resnet, INPUTS)
    first = [made.map for made in MapSet(mapper, data).stream(range(20))]
    size = first[0].numel() * 4
    for room, again in ((20 * size, 0), (5 * size, 15), (0, 20)):
        kept = MapSet(mapper, data, memory_bytes=room)
        for _ in kept.stream(range(20)):
            pass
        calls.clear()
        second = [made.map for made in kept.stream([*range(19, -1, -1)])]
        assert len(calls) == again
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, reversed(second), strict=True))


def test_other_labels_share_maps_and_memory(resnet):
    pictures, masks = coloured(4, (32, 32))
    calls = []
    data = labelled(pictures, masks)
    object.__setattr__(data, "read_picture", lambda i, short_side: calls.append(i) or pictures[i])
    size = 512 * 4
    one = MapSet(DenseFeatures(resnet, INPUTS), data, memory_bytes=4 * 2 * size * 4)
    other = one.labelled(labelled(pictures, [mask + 1 for mask in masks]))
    first = [made.map for made in one.stream(range(4))]
    assert all(torch.equal(a, made.map) for a, made in zip(first, other.stream(range(4)), strict=True))
    assert calls == [0, 1, 2, 3] and torch.equal(other.mask(1), one.mask(1) + 1)
    assert one._room is other._room


def test_masks_are_kept_too():
    pictures, masks = coloured(2, (32, 32))
    read = []
    data = labelled(pictures, masks)
    object.__setattr__(data, "read_mask", lambda i: read.append(i) or masks[i])
    kept = MapSet(RawPixels(PLAIN, 8, 3.5), data, memory_bytes=masks[0].numel() * 2)
    assert all(torch.equal(kept.mask(i), masks[i]) for i in (0, 1, 0, 1)) and read == [0, 1, 1]
