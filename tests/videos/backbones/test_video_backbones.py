"""Backbones over clips: shapes, published sizes, torchvision's own results, and refusals in words."""

import pytest
import torch
import torchvision

from twofold.errors import UserError
from twofold.pixels.backbones.built import Built
from twofold.videos.backbones import build_backbone, rebuild_backbone
from twofold.videos.backbones.inception import pad_as_tensorflow
from twofold.videos.backbones.names import NAMES, RESIDUAL, find
from twofold.videos.backbones.residual import middle_channels


def clips(*size):
    return torch.randn(*size, generator=torch.Generator().manual_seed(1))


def on_meta(name, frames=16, side=112, **settings) -> Built:
    with torch.device("meta"):
        return find(name, side, frames, **{"stem": "auto", "last_stage": "strided", "pretrained": None, **settings})


def settled(name, frames=4, side=16, **settings):
    """A backbone whose batch-norm statistics and scales are not the initial ones."""
    torch.manual_seed(0)
    backbone = build_backbone(name, clip_size=side, frames=frames, **settings)
    with torch.no_grad():
        backbone.train()(2 + clips(4, 3, frames, side, side))
        for p in backbone.parameters():
            p.add_(0.01 * torch.randn_like(p))
    return backbone.eval()


MAPS = [  # at 16 frames of 112 px, width first
    ("r3d18", {}, (512, 2, 7, 7)),
    ("r3d18", {"stem": "7x7x7"}, (512, 1, 4, 4)),
    ("r3d18", {"last_stage": "dense"}, (512, 2, 14, 14)),
    ("r2plus1d10", {}, (512, 2, 7, 7)),
    ("r2plus1d18", {"last_stage": "dense"}, (512, 2, 14, 14)),
    ("r2plus1d26", {}, (2048, 2, 7, 7)),
    ("r3d26", {}, (2048, 2, 7, 7)),
    ("i3d", {}, (1024, 2, 4, 4)),
    ("resnet3d10", {}, (512, 1, 4, 4)),
    ("c3d", {}, (512, 2, 7, 7)),
    ("s3d", {}, (1024, 2, 3, 3)),
    ("convnet3d", {}, (128, 4, 14, 14)),
    ("r3d10-small", {}, (128, 2, 7, 7)),
    ("r2plus1d10-small", {}, (128, 2, 7, 7)),
]


@pytest.mark.parametrize(("name", "settings", "size"), MAPS)
def test_the_map_at_the_papers_size(name, settings, size):
    built = on_meta(name, **settings)
    found = built.features(built.network.eval(), torch.empty(1, 3, 16, 112, 112, device="meta"))
    assert found.map.shape == (1, *size) and found.pooled.shape == (1, size[0])


def test_every_name_of_ours_is_among_those():
    assert {name for name, _, _ in MAPS} == set(NAMES)


PUBLISHED = [  # millions: Tran et al. (33.2 with torchvision's stem), the CMD authors' R(2+1)D-26 and ResNet3D-10
    ("r3d18", 33.17),
    ("r2plus1d10", 14.35),
    ("r2plus1d18", 33.17),
    ("r2plus1d26", 26.49),
    ("i3d", 12.29),
    ("resnet3d10", 14.40),
    ("c3d", 27.66),
    ("torchvision:r3d_18", 33.17),
    ("torchvision:r2plus1d_18", 31.30),
]


@pytest.mark.parametrize(("name", "millions"), PUBLISHED)
def test_parameters_are_as_many_as_published(name, millions):
    assert sum(p.numel() for p in on_meta(name).network.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)


def test_factored_convolutions_have_the_weights_of_whole_ones():
    for before, after in ((64, 64), (64, 128), (256, 512)):
        middle = middle_channels(before, after)
        whole, factored = 27 * before * after, 9 * before * middle + 3 * middle * after
        assert factored <= whole < factored + 9 * before + 3 * after


@pytest.mark.parametrize("name", ["r3d10-small", "r2plus1d10-small", "convnet3d", "i3d", "frames:squeezenet1_1"])
@pytest.mark.parametrize(("frames", "side"), [(5, 35), (2, 32)])
def test_odd_clips_and_the_mean_of_the_map(name, frames, side):
    backbone = build_backbone(name, clip_size=side, frames=frames).eval()
    with torch.no_grad():
        found = backbone(clips(2, 3, frames, side, side))
    assert found.map.shape == (2, backbone.map_width, *backbone.cells) and found.pooled.shape == (2, backbone.width)
    torch.testing.assert_close(found.map.mean((2, 3, 4)), found.pooled)


def test_ours_with_torchvisions_weights_computes_as_torchvision():
    torch.manual_seed(0)
    theirs = torchvision.models.video.r3d_18()
    theirs.fc = torch.nn.Identity()
    ours = build_backbone("r3d18", clip_size=16, frames=4)
    ours.network.load_state_dict(theirs.state_dict())
    x = clips(2, 3, 4, 16, 16)
    for mode in (True, False):  # the first changes the running statistics of both
        theirs.train(mode), ours.train(mode)
        with torch.no_grad():
            torch.testing.assert_close(ours(x).pooled, theirs(x))


@pytest.mark.parametrize("name", ["r2plus1d_18", "mc3_18", "swin3d_t"])
def test_torchvisions_networks_pool_as_their_own_forward(name):
    backbone = build_backbone(f"torchvision:{name}", clip_size=32, frames=4).eval()
    x = clips(1, 3, 4, 32, 32)
    with torch.no_grad():
        found = backbone(x)
        torch.testing.assert_close(found.pooled, backbone.network(x))
    torch.testing.assert_close(found.map.mean((2, 3, 4)), found.pooled)
    assert backbone.blueprint()["name"] == f"torchvision:{name}"


def test_mvit_has_its_token_and_its_map():
    built = on_meta("mvit_v2_s", side=224)
    found = built.features(built.network.eval(), torch.empty(1, 3, 16, 224, 224, device="meta"))
    assert found.pooled.shape == (1, 768) and found.map.shape == (1, 768, 8, 7, 7)


def test_frame_by_frame_is_the_mean_over_time():
    backbone = build_backbone("frames:resnet18", clip_size=32, frames=3).eval()
    x = clips(2, 3, 3, 32, 32)
    with torch.no_grad():
        each = torch.stack([backbone.network(x[:, :, t]) for t in range(3)], 1)
        torch.testing.assert_close(backbone(x).pooled, each.mean(1))
        moved = backbone(x.flip(2))
    torch.testing.assert_close(moved.pooled, each.mean(1))
    assert backbone.cells == (3, 1, 1)


def test_the_stages_of_a_residual_network():
    backbone = build_backbone("r3d10-small", clip_size=32, frames=8).eval()
    x = clips(1, 3, 8, 32, 32)
    with torch.no_grad():
        maps, found = backbone.stages(x), backbone(x)
    assert [tuple(m.shape[1:]) for m in maps] == [(16, 8, 16, 16), (32, 4, 8, 8), (64, 2, 4, 4), (128, 1, 2, 2)]
    assert torch.equal(maps[-1], found.map) and backbone.has_stages
    with pytest.raises(UserError, match="no stages"):
        build_backbone("convnet3d", clip_size=16, frames=4).stages(x)


@pytest.mark.parametrize("name", ["r3d10-small", "r2plus1d10-small", "convnet3d"])
def test_the_seed_decides_the_start(name):
    def made(seed):
        torch.manual_seed(seed)
        return build_backbone(name, clip_size=16, frames=4).network.state_dict()

    one, again, other = made(3), made(3), made(4)
    assert all(torch.equal(one[k], again[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("name", [n for n in NAMES if "small" in n or n in ("convnet3d", "c3d", "s3d")])
def test_it_starts_by_he_with_norms_of_scale_one(name):
    network = find(name, 16, 8, stem="auto", last_stage="strided", pretrained=None).network
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm3d):
            assert (layer.weight == 1).all() and (layer.bias == 0).all() and layer.momentum == 0.1
        if isinstance(layer, torch.nn.Conv3d) and layer.weight.numel() > 20_000:
            fan_out = layer.weight[:, 0].numel()
            assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


def test_every_weight_learns():
    backbone = build_backbone("r2plus1d10-small", clip_size=32, frames=8)
    backbone(clips(2, 3, 8, 32, 32)).pooled.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


def test_channels_last_clips_give_the_same():
    backbone = settled("r3d10-small", side=32)
    x = clips(2, 3, 4, 32, 32)
    with torch.no_grad():
        want = backbone(x).pooled
        got = backbone.to(memory_format=torch.channels_last_3d)(x.to(memory_format=torch.channels_last_3d)).pooled
    torch.testing.assert_close(got, want)


def test_the_input_is_left_as_it_was_and_the_mode_too():
    backbone = build_backbone("convnet3d", clip_size=16, frames=4)
    x = clips(1, 3, 4, 16, 16)
    before = x.clone()
    backbone(x)
    assert torch.equal(x, before)
    backbone.try_on(8, 24)
    assert backbone.training and backbone.network.layers[1].training


@pytest.mark.parametrize("name", ["r3d10-small", "convnet3d", "frames:squeezenet1_1"])
def test_the_blueprint_makes_it_again(name):
    settings = {"stem": "7x7x7", "last_stage": "dense"} if name == "r3d10-small" else {}
    backbone = build_backbone(name, clip_size=32, frames=4, **settings)
    again = rebuild_backbone(backbone.blueprint())
    assert again.blueprint() == backbone.blueprint() and again.describe() == backbone.describe()
    again.network.load_state_dict(backbone.network.state_dict())


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_clip_nets.py").write_text(
        "import torch\n"
        "def vector(clip_size, frames):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * frames * clip_size**2, 7))\n"
        "def grid():\n    return torch.nn.Conv3d(3, 5, 4, 4)\n"
        "def flat():\n    return torch.nn.Flatten(0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "my_clip_nets"


def test_own_networks(own_module):
    vector = build_backbone(f"{own_module}:vector", clip_size=8, frames=4)
    assert (vector.width, vector.map_width, vector.cells) == (7, None, None)
    grid = build_backbone(f"{own_module}:grid", clip_size=8, frames=4)
    assert (grid.width, grid.map_width, grid.cells) == (5, 5, (1, 2, 2))
    with pytest.raises(UserError, match=r"\(B, C, t, h, w\) was expected"):
        build_backbone(f"{own_module}:flat", clip_size=8, frames=4)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("r3d81", {}, "r3d18"),
        ("torchvision:r3d_81", {}, "r3d_18"),
        ("resnet18", {}, "frames:resnet18 runs it"),
        ("frames:resnet19", {}, "for pictures"),
        ("c3d", {"frames": 4}, "4 frames of 16 px"),
        ("s3d", {}, "does not run"),
        ("mvit_v1_b", {}, "16 frames of 224 px alone"),
        ("r2plus1d18", {"stem": "7x7x7"}, "choose auto or 2\\+1"),
        ("r3d18", {"stem": "2+1"}, "3x7x7"),
        ("c3d", {"stem": "7x7x7"}, "its own stem"),
        ("c3d", {"last_stage": "dense"}, "its own last stage"),
        ("r3d18", {"last_stage": "thick"}, "strided or dense"),
        ("r3d18", {"weights": "torchvision"}, "torchvision:r3d_18"),
        ("convnet3d", {"weights": "torchvision"}, "or a file"),
        ("convnet3d", {"frames": 10**9, "clip_size": 4096}, "memory"),
    ],
)
def test_what_cannot_be_is_said(name, settings, says):
    with pytest.raises(UserError, match=says) as caught:
        build_backbone(name, **{"clip_size": 16, "frames": 4, **settings})
    assert "\n" not in str(caught.value)


def test_a_checkpoint_fills_ours_and_a_picture_network(tmp_path):
    theirs = torchvision.models.squeezenet1_1()
    torch.save({"state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}}, tmp_path / "w.pth")
    backbone = build_backbone("frames:squeezenet1_1", clip_size=32, frames=2, weights=str(tmp_path / "w.pth"))
    assert torch.equal(backbone.network.features[0].weight, theirs.features[0].weight)
    assert "weights loaded" in backbone.describe()


@pytest.mark.parametrize(("size", "before", "after"), [(8, 2, 3), (7, 3, 3), (1, 3, 3)])
def test_the_padding_of_i3d_is_tensorflows(size, before, after):
    padded = pad_as_tensorflow(torch.ones(1, 1, size, size, size), (7, 7, 7), (2, 2, 2))
    assert padded.shape[2:] == (before + size + after,) * 3
    assert padded[0, 0, :, before, before].tolist() == [0.0] * before + [1.0] * size + [0.0] * after


def test_shapes_are_what_their_names_say():
    assert RESIDUAL["r2plus1d26"].bottleneck and 2 + 3 * sum(RESIDUAL["r2plus1d26"].blocks) == 26
    for name in ("r3d18", "r2plus1d10", "r2plus1d18", "resnet3d10"):  # two convolutions a block
        assert 2 + 2 * sum(RESIDUAL[name].blocks) == int(name[-2:])


def test_pretrained_weights_are_torchvisions_or_a_sentence(monkeypatch):
    weights = torchvision.models.SqueezeNet1_1_Weights
    state = torchvision.models.squeezenet1_1().state_dict()
    monkeypatch.setattr(weights, "get_state_dict", lambda self, **_: state)
    backbone = build_backbone("frames:squeezenet1_1", clip_size=32, frames=2, weights="torchvision")
    assert torch.equal(backbone.network.features[0].weight, state["features.0.weight"])
    assert "pretrained: " in backbone.describe() and "2 not used (classifier.1" in backbone.describe()

    def fail(self, **_):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.video.R3D_18_Weights, "get_state_dict", fail)
    with pytest.raises(UserError, match="weights of r3d_18 could not be downloaded"):
        build_backbone("r3d_18", clip_size=16, frames=2, weights="torchvision")
