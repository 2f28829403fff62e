"""Which parts of real networks repeat."""

from __future__ import annotations

import pytest
import torchvision
from torch import nn

from twofold.nets.blocks import repeated_blocks


@pytest.mark.parametrize(
    "name, kinds, count",
    [
        ("resnet18", {"BasicBlock"}, 8),
        ("resnet50", {"Bottleneck"}, 16),
        ("vit_b_32", {"EncoderBlock"}, 12),
        ("swin_t", {"SwinTransformerBlock", "PatchMerging"}, 15),
        ("convnext_tiny", {"CNBlock"}, 18),
        ("alexnet", set(), 0),
    ],
)
def test_blocks_of_torchvision(name, kinds, count):
    found = repeated_blocks(torchvision.models.get_model(name))
    assert {type(block).__name__ for block in found} == kinds and len(found) == count


def test_heads_lists_and_single_parts_are_no_blocks():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(2, 2)

    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(Block(), Block())

    head = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    network = nn.ModuleList([nn.Sequential(Stage(), Stage()), head, nn.Sequential(Block(), head)])
    found = repeated_blocks(network)
    assert found == [*network[0][0].blocks, *network[0][1].blocks]
