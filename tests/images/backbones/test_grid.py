"""Where the cells of a map lie: read off the layers, and checked against what each cell really sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from twofold.images.backbones import build_backbone
from twofold.images.backbones.grid import features_and_grid
from twofold.nets.features import Features, Grid

NETWORKS = [
    ("resnet18", 160, Grid(5, 5, 32.0, 0.0)),
    ("resnet10", 160, Grid(5, 5, 32.0, 0.0)),
    ("convnet", 32, Grid(4, 4, 8.0, 0.0)),
    ("convnext_tiny", 96, Grid(3, 3, 32.0, 15.5)),
    ("timm:vit_tiny_patch16_224", 80, Grid(5, 5, 16.0, 7.5)),
]


@pytest.mark.parametrize(("name", "side", "grid"), NETWORKS, ids=[name for name, _, _ in NETWORKS])
def test_a_cell_lies_where_the_network_looks_for_it(name, side, grid):
    torch.manual_seed(0)
    backbone = build_backbone(name, image_size=side, stem="imagenet" if name.startswith("resnet") else "auto").eval()
    assert backbone.grid == backbone.grid_at(side) == grid
    # The centroid of the squared gradient of the middle cell, in pixels. At this distance a shift of half a cell shows.
    pictures = torch.randn(4, 3, side, side, requires_grad=True)
    cell = backbone(pictures).map[:, :, grid.rows // 2, grid.columns // 2]
    (gradient,) = torch.autograd.grad((cell * torch.randn(cell.shape)).sum(), pictures)
    seen = gradient.square().sum((0, 1))
    pixels = torch.arange(side).float()
    expected = grid.centre + grid.rows // 2 * grid.stride
    for axis in (0, 1):
        centroid = (seen.sum(1 - axis) * pixels).sum() / seen.sum()
        assert abs(centroid - expected) < grid.stride / 4, (centroid, expected)


def test_other_ways_to_shrink_count_as_patches_and_no_map_has_no_grid():
    halve = nn.PixelUnshuffle(4)
    features, grid = features_and_grid(halve, lambda x: Features(halve(x), halve(x).mean((2, 3))), 12)
    assert features.map.shape == (1, 48, 3, 3)
    assert grid == Grid(3, 3, 4.0, 1.5) and grid.patches
    flat = nn.Flatten()
    assert features_and_grid(flat, lambda x: Features(None, flat(x)), 4)[1] is None
