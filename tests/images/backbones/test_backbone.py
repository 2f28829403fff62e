"""Backbones by name: features equal the library's own, the recipe rebuilds, mistakes get one sentence."""

import copy
import sys

import pytest
import torch
from torch import nn

from twofold.errors import UserError
from twofold.images.backbones import build_backbone, rebuild_backbone

SIZES = [
    ("convnet", 16),
    ("resnet10", 16),
    ("resnet18", 16),
    ("densenet121", 32),
    ("mobilenet_v3_small", 32),
    ("efficientnet_b0", 32),
    ("shufflenet_v2_x0_5", 32),
    ("mnasnet0_5", 32),
    ("squeezenet1_1", 32),
    ("convnext_tiny", 32),
    ("swin_t", 32),
    ("vit_b_32", 64),
    ("alexnet", 64),
    ("regnet_y_400mf", 32),
    ("timm:resnet18", 16),
    ("timm:vit_tiny_patch16_224", 32),
    ("timm:convnext_atto", 32),
    ("timm:mobilenetv3_small_050", 32),
    ("timm:swin_tiny_patch4_window7_224", 56),
]


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_features_equal_the_network_and_the_printed_lines(name, size):
    backbone = build_backbone(name, image_size=size).eval()
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        features = backbone(x)
        torch.testing.assert_close(backbone.network(x), features.pooled, rtol=1e-4, atol=1e-5)
        scope = {}
        exec("\n".join(backbone.lines), scope)
        again = scope["model"].eval()
        again.load_state_dict(backbone.network.state_dict())
        torch.testing.assert_close(again(x), features.pooled, rtol=1e-4, atol=1e-5)
    assert features.pooled.shape == (2, backbone.width)
    assert features.map.ndim == 4 and features.map.shape[:2] == (2, backbone.map_width)


@pytest.mark.parametrize("name", ["resnet10", "timm:vit_tiny_patch16_224"])
def test_map_keeps_the_image_axes(name):
    """A mark at the top left of the image changes the map most at its top left."""
    backbone = build_backbone(name, image_size=64).eval()
    x = torch.zeros(1, 3, 64, 64)
    marked = x.clone()
    marked[..., :8, 40:48] = 3
    with torch.no_grad():
        change = (backbone(marked).map - backbone(x).map).norm(dim=1)[0]
    row, column = divmod(int(change.argmax()), change.shape[1])
    assert row < change.shape[0] / 2 <= column


@pytest.mark.parametrize(("size", "stem"), [(32, "cifar"), (40, "cifar"), (64, "stl"), (72, "stl"), (96, "imagenet")])
def test_stem_follows_the_image_size(size, stem):
    backbone = build_backbone("resnet10", image_size=size)
    assert backbone.stem == stem
    stride = 1 if stem == "cifar" else 2 if stem == "stl" else 4
    assert backbone(torch.zeros(1, 3, size, size)).map.shape[-1] == -(-size // (8 * stride))
    assert backbone.network.conv1.kernel_size == ((7, 7) if stem == "imagenet" else (3, 3))
    assert f"{size} px" in backbone.describe()


def test_a_stem_that_stays_is_said():
    assert "its own stem, unchanged at 32 px" in build_backbone("mobilenet_v3_small", image_size=32).describe()


def test_recipe_rebuilds_the_same_keys():
    for name in ("resnet10", "resnet18", "timm:resnet18", "convnet"):
        backbone = build_backbone(name, image_size=32)
        again = rebuild_backbone(backbone.blueprint())
        again.load_state_dict(backbone.state_dict())
        assert again.blueprint() == backbone.blueprint()
    assert build_backbone("resnet18", image_size=32).blueprint()["name"] == "torchvision:resnet18"


def test_zero_init_makes_each_block_an_identity():
    backbone = build_backbone("resnet10", image_size=32, zero_init_residual=True)
    assert all(layer[0].bn2.weight.eq(0).all() for layer in (backbone.network.layer1, backbone.network.layer4))
    assert build_backbone("resnet50", image_size=32, zero_init_residual=True).network.layer3[2].bn3.weight.eq(0).all()


def test_a_copy_runs_by_itself():
    backbone = build_backbone("convnet", image_size=16)
    twin = copy.deepcopy(backbone)
    with torch.no_grad():
        next(iter(twin.parameters())).zero_()
    x = torch.randn(4, 3, 16, 16)
    assert not torch.equal(backbone(x).pooled, twin(x).pooled)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(
        "import torch\n"
        "def vector(image_size):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * image_size**2, 7))\n"
        "def grid():\n    return torch.nn.Conv2d(3, 5, 4, 4)\n"
        "def wrong():\n    return torch.nn.Flatten(0)\n"
        "def text():\n    return 'no'\n"
        "class Needs(torch.nn.Module):\n    def __init__(self, depth):\n        super().__init__()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_nets", None)


def test_own_module_by_import_path(own_module):
    vector = build_backbone("my_nets:vector", image_size=12)
    assert (vector.width, vector.map_width) == (7, None)
    grid = build_backbone("my_nets:grid", image_size=12)
    features = grid(torch.randn(2, 3, 12, 12))
    assert features.map.shape == (2, 5, 3, 3)
    torch.testing.assert_close(features.pooled, features.map.flatten(2).mean(2))
    assert rebuild_backbone(grid.blueprint()).width == 5


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("resnt18", 32, '"resnet18"'),
        ("torchvision:resnet19", 32, '"resnet18"'),
        ("timm:resnet18x", 32, '"resnet18"'),
        ("convent", 32, '"convnet"'),
        ("no_such_pkg.mod:net", 32, "PYTHONPATH"),
        ("my_nets:vektor", 32, '"vector"'),
        ("my_nets:wrong", 32, "(B, C)"),
        ("my_nets:text", 32, "torch.nn.Module"),
        ("my_nets:Needs", 32, "depth"),
        ("vit_b_16", 40, "40 px"),
        ("timm:vit_tiny_patch16_224", 8, "8 px"),
    ],
)
def test_mistakes_get_one_sentence(own_module, name, size, says):
    with pytest.raises(UserError) as caught:
        build_backbone(name, image_size=size)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_impossible_settings_are_refused():
    with pytest.raises(UserError, match="ResNets only"):
        build_backbone("convnet", image_size=32, stem="cifar")
    with pytest.raises(UserError, match='Did you mean "cifar"'):
        build_backbone("resnet10", image_size=32, stem="cifr")
    with pytest.raises(UserError, match="no weights pretrained by torchvision"):
        build_backbone("timm:resnet18", image_size=32, weights="torchvision")


def test_missing_timm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"twofold\[timm\]"):
        build_backbone("timm:resnet18", image_size=32)
    with pytest.raises(UserError, match=r"twofold\[timm\]"):
        build_backbone("vit_tiny_patch16_224", image_size=32)


def test_a_pair_that_does_not_match_names_both_versions(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match=rf"torchvision \S+ does not work with torch {torch.__version__.split('+')[0]}"):
        build_backbone("resnet18", image_size=32)


def test_channels_last_and_gradient():
    backbone = build_backbone("resnet10", image_size=16).to(memory_format=torch.channels_last)
    backbone(torch.randn(2, 3, 16, 16)).pooled.sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())
    assert isinstance(backbone.network.fc, nn.Identity)
