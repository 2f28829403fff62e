"""Networks for other numbers of channels: built, spelled out, loaded again, and filled with weights of RGB."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.images.backbones.export import export
from twofold.images.backbones.inputs import with_channels
from twofold.pixels.backbones.export import save_backbone

NAMES = ["convnet", "resnet10", "resnet18", "mobilenet_v3_small", "squeezenet1_1", "timm:resnet18"]


@pytest.mark.parametrize(("name", "channels"), [*((name, 5) for name in NAMES), ("resnet10", 1), ("convnet", 16)])
def test_a_network_takes_its_channels_and_the_lines_make_it_again(name, channels):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    backbone = build_backbone(name, image_size=64, channels=channels).eval()
    assert backbone.channels == channels and backbone(torch.rand(2, channels, 64, 64)).pooled.shape == (
        2,
        backbone.width,
    )
    scope: dict = {}
    exec("\n".join(backbone.lines), scope)
    scope["model"].load_state_dict(backbone.network.state_dict())
    x = torch.rand(2, channels, 64, 64)
    assert_close(scope["model"].eval()(x).flatten(1), backbone(x).pooled)


@pytest.mark.parametrize(
    ("name", "format", "stem"),
    [
        ("resnet10", "timm", "cifar"),
        ("resnet10", "timm", "imagenet"),
        ("timm:resnet18", "torchvision", "stl"),
        ("timm:resnet18", "torchvision", "imagenet"),
        ("convnet", "onnx", "auto"),
    ],
)
def test_exports_are_checked_with_their_channels(tmp_path, name, format, stem):
    backbone = build_backbone(name, image_size=64, stem=stem, channels=5)
    settings = {"mean": (0.1,) * 5, "std": (0.2,) * 5}
    made = export(backbone, tmp_path / f"a{'.onnx' if format == 'onnx' else '.safetensors'}", format=format, **settings)
    assert made.difference is not None and made.difference < 1e-4
    assert any("(B, 5, 64, 64), channels in [0, 1]" in line for line in made.lines)
    with pytest.raises(UserError, match="smp builds networks of RGB, and this one takes 5 channels"):
        export(backbone, tmp_path / "b.safetensors", format="smp", **settings)


@pytest.mark.parametrize("name", ["convnet", "resnet10"])
def test_a_file_brings_its_channels(tmp_path, name):
    backbone = build_backbone(name, image_size=32, channels=5).eval()
    facts = {"channels": 5, "deep": True, "white": 100.0, "black": -80.0}
    file = save_backbone(backbone, tmp_path / "a.safetensors", mean=[0.1] * 5, std=[0.2] * 5, method="x", facts=facts)
    again, about = load_backbone(file)
    assert again.channels == 5 and about["backbone"]["channels"] == 5 and about["black"] == -80
    x = torch.rand(2, 5, 32, 32)
    assert_close(again(x).pooled, backbone(x).pooled)
    for wrong in ({"mean": [0.1] * 3}, {"black": 200.0}, {"channels": 4}, {"deep": "yes"}, {"black": None}):
        given = {"mean": [0.1] * 5, "facts": facts | {k: v for k, v in wrong.items() if k != "mean"}}
        given |= {k: v for k, v in wrong.items() if k == "mean"}
        save_backbone(backbone, file, std=[0.2] * 5, method="x", **given)
        with pytest.raises(UserError, match=f"its {next(iter(wrong))}|its white"):
            load_backbone(file)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_weights_of_rgb_are_mapped_as_timm_maps_them(tmp_path, channels):
    timm = pytest.importorskip("timm")
    source = build_backbone("resnet10", image_size=64)
    torch.save({"model": source.network.state_dict()}, tmp_path / "a.pt")
    backbone = build_backbone("resnet10", image_size=64, weights=str(tmp_path / "a.pt"), channels=channels)
    want = timm.models.adapt_input_conv(channels, source.network.conv1.weight.detach())
    assert_close(backbone.network.conv1.weight.detach(), want)
    assert_close(backbone.network.layer1[0].conv1.weight, source.network.layer1[0].conv1.weight)
    assert any(f"those of RGB, repeated over {channels} channels" in note for note in backbone.notes)
    torch.save(backbone.network.state_dict(), tmp_path / "b.pt")
    again = build_backbone("resnet10", image_size=64, weights=str(tmp_path / "b.pt"), channels=channels)
    assert_close(again.network.conv1.weight, backbone.network.conv1.weight)
    assert not any("repeated" in note for note in again.notes)


def test_a_network_without_a_convolution_of_rgb_is_refused_and_rgb_changes_nothing():
    state = {"a": torch.rand(4, 3, 3, 3)}
    assert with_channels(state, nn.Conv2d(3, 4, 3)) == (state, False)
    with pytest.raises(UserError, match=r"test_inputs:flat does not run on images of 32 px and 5"):
        build_backbone("tests.images.backbones.test_inputs:flat", image_size=32, channels=5)
    own = build_backbone("tests.images.backbones.test_inputs:wide", image_size=32, channels=5)
    assert own(torch.rand(2, 5, 32, 32)).pooled.shape == (2, 4)


def flat():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def wide(in_channels=3):
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
