"""Strides, centres and grids of networks of all kinds, as measured by what each cell sees."""

from __future__ import annotations

import pytest
import torch

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.dense.any_size import AnySize, grid_of, patch_of


@pytest.mark.parametrize(
    ("name", "size", "stride", "centre", "patch"),
    [
        ("resnet10", 96, 32, 0.0, 1),
        ("resnet10", 32, 8, 0.0, 1),
        ("convnet", 32, 8, 0.0, 1),
        ("timm:convnext_atto", 64, 32, 15.5, 1),
        ("timm:vit_tiny_patch16_224", 32, 16, 7.5, 16),
        ("torchvision:vit_b_32", 64, 32, 15.5, 32),
    ],
)
def test_strides_and_centres(name, size, stride, centre, patch):
    backbone = build_backbone(name, image_size=size).eval()
    assert (backbone.grid.stride, backbone.grid.centre, patch_of(backbone)) == (stride, centre, patch)


@pytest.mark.parametrize("name", ["resnet10", "convnet", "timm:convnext_atto", "timm:vit_tiny_patch16_224"])
def test_the_centre_is_where_a_cell_looks(name):
    """The centroid of the squared gradient of one cell with respect to the pixels, over random pictures and weights."""
    side, places = 160, []
    for seed in range(4):
        torch.manual_seed(seed)
        backbone = build_backbone(name, image_size=side).eval()
        stride = round(backbone.grid.stride)
        views = torch.randn(2, 3, side, side, requires_grad=True)
        cell = side // stride // 2
        backbone(views).map[:, :, cell, cell].square().sum().backward()
        weight = views.grad.square().sum((0, 1)).double()
        if stride == patch_of(backbone):  # attention looks everywhere; only the cell's own patch is told apart
            inside = weight.unflatten(0, (-1, stride)).unflatten(2, (-1, stride)).mean((1, 3))
            assert inside.argmax() == cell * inside.shape[1] + cell
            return
        line = torch.arange(side, dtype=torch.float64)
        places += [(weight.sum(axis) @ line / weight.sum()).item() - cell * stride for axis in (0, 1)]
    assert sum(places) / len(places) == pytest.approx(backbone.grid.centre, abs=0.12 * stride)


@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224", "timm:vit_small_patch16_dinov3", "torchvision:vit_b_32"])
def test_square_and_wide_pictures_agree_on_their_common_part(name):
    """Without attention and position embeddings a cell sees its own patch only. A class token or registers taken for
    cells would shift them."""
    torch.manual_seed(0)
    side = 64
    backbone = build_backbone(name, image_size=side).eval()
    network, patch = backbone.network, patch_of(backbone)
    if hasattr(network, "blocks"):
        network.blocks = type(network.blocks)()
        if network.pos_embed is not None:
            torch.nn.init.zeros_(network.pos_embed)
    else:
        network.encoder.layers = torch.nn.Sequential()
        torch.nn.init.zeros_(network.encoder.pos_embedding)
    views = torch.randn(1, 3, side, 2 * side)
    with torch.no_grad():
        wide, square = AnySize(backbone)(views), AnySize(backbone)(views[..., :side])
    assert wide.shape[2:] == (side // patch, 2 * side // patch) and square.std() > 0
    torch.testing.assert_close(wide[..., : side // patch], square, rtol=1e-4, atol=1e-4)


def test_position_embeddings_follow_the_grid():
    """A network that gives back its position embeddings: those of a wide picture are the square's, stretched."""
    backbone = build_backbone("torchvision:vit_b_32", image_size=96).eval()
    network = backbone.network
    network.encoder.layers = torch.nn.Identity()
    network.encoder.ln = torch.nn.Identity()
    torch.nn.init.zeros_(network.conv_proj.weight)
    torch.nn.init.zeros_(network.conv_proj.bias)
    own = network.encoder.pos_embedding.data
    own[:, 1:, 0] = torch.arange(3.0).repeat(3)  # the column of each of 3 x 3 patches
    own[:, 1:, 1] = torch.arange(3.0).repeat_interleave(3)
    with torch.no_grad():
        found = AnySize(backbone)(torch.zeros(1, 3, 96, 192))[0]
    assert found.shape[1:] == (3, 6)
    torch.testing.assert_close(found[1], torch.arange(3.0)[:, None].expand(3, 6))
    assert (found[0].diff(dim=1) > 0).all() and (found[0].diff(dim=0).abs() < 1e-5).all()


def test_a_network_without_a_map_is_refused():
    backbone = build_backbone("convnet", image_size=32)
    backbone.map_width = backbone.grid = None
    with pytest.raises(UserError, match="no map of cells"):
        grid_of(backbone)


def test_a_network_of_one_size_is_refused_in_a_sentence():
    backbone = build_backbone("timm:swin_tiny_patch4_window7_224", image_size=224).eval()
    with pytest.raises(UserError, match=r"does not run on pictures of .* take"):
        AnySize(backbone)(torch.zeros(1, 3, 64, 96))
