"""The map of an earlier stage of a ResNet: its cells, where they lie, and the pooled feature as before."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.backbones.stages import run_stages, stages_of
from twofold.nets.features import Features

PICTURES = torch.linspace(-1, 1, 2 * 3 * 64 * 64).sin().view(2, 3, 64, 64)


def built(name="resnet10", stem="imagenet"):
    torch.manual_seed(0)
    return build_backbone(name, image_size=64, stem=stem).eval()


@pytest.mark.parametrize("name", ["resnet10", "resnet50", "timm:resnet26d", "timm:seresnet18"])
def test_a_stage_gives_its_map_and_the_pooled_feature_stays(name):
    backbone, outputs = built(name, "auto" if "26d" in name else "imagenet"), {}
    before = backbone(PICTURES)
    for stage in (1, 2, 3, 4):
        layer = backbone.network.get_submodule(f"layer{stage}")
        hook = layer.register_forward_hook(lambda _, __, out, stage=stage: outputs.update({stage: out}))
        backbone(PICTURES)
        hook.remove()
    for stage in (1, 2, 3, 4):
        backbone.take_stage(stage)
        features = backbone(PICTURES)
        assert torch.equal(features.map, outputs[stage]) and torch.equal(features.pooled, before.pooled)
        assert (backbone.map_width, backbone.width) == (outputs[stage].shape[1], before.pooled.shape[1])
        assert (backbone.grid.rows, backbone.grid.stride, backbone.grid.centre) == (
            2 ** (5 - stage),
            2.0 ** (stage + 1),
            0,
        )
    assert torch.equal(features.map, before.map)


def test_a_twin_runs_its_own_network():
    backbone = built()
    backbone.take_stage(3)
    twin = copy.deepcopy(backbone)
    with torch.no_grad():
        twin.network.layer3[0].bn2.weight.add_(1)
    assert not torch.allclose(twin(PICTURES).map, backbone(PICTURES).map)


class Sideways(nn.Module):
    """Children by a ResNet's names that do not follow one another."""

    def __init__(self) -> None:
        super().__init__()
        self.layer3, self.layer4 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.layer4(x) + self.layer3(x)


def test_networks_without_stages_are_refused():
    for name, stage in (("convnet", 3), ("vit_b_16", 3), ("resnet10", 5)):
        with pytest.raises(UserError, match=f"{name} has no stage {stage} as ResNets have .*leave feature_stage at 0"):
            built(name, "auto").take_stage(stage)

    def run(network, x):
        return Features(None, network(x).mean((2, 3)))

    assert stages_of(Sideways(), run, 3, 8) is None

    class Straight(Sideways):
        def forward(self, x):
            return self.layer4(self.layer3(x))

    assert stages_of(Straight(), run, 3, 8).func is run_stages
