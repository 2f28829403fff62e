"""Backbones over clips as files: the printed lines give their features, and no file runs code or takes room."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from twofold.errors import UserError
from twofold.pixels.backbones import export as shared
from twofold.pixels.backbones.export import save_backbone
from twofold.videos.backbones import build_backbone, load_backbone
from twofold.videos.backbones import export as module
from twofold.videos.backbones.export import export

STATISTICS = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}


def trained(name, frames=4, side=16, **settings):
    """A backbone whose batch-norm statistics and scales are not the initial ones."""
    torch.manual_seed(0)
    backbone = build_backbone(name, clip_size=side, frames=frames, **settings)
    with torch.no_grad():
        backbone.train()(2 + torch.randn(4, 3, frames, side, side))
        for p in backbone.parameters():
            p.add_(0.01 * torch.randn_like(p))
    return backbone


@pytest.fixture(scope="module")
def small():
    return trained("convnet3d")


@pytest.mark.parametrize(
    ("name", "format", "side"),
    [
        ("convnet3d", "safetensors", 16),
        ("r2plus1d10-small", "safetensors", 16),
        ("torchvision:mc3_18", "torchvision", 16),
        ("frames:squeezenet1_1", "torchvision", 32),
        ("r3d10-small", "onnx", 16),
    ],
)
def test_the_printed_lines_give_the_features(tmp_path, name, format, side):
    backbone = trained(name, side=side)
    done = export(backbone, tmp_path / "net", format=format, method="moco", **STATISTICS)
    assert backbone.training and done.path.suffix == module.SUFFIXES[format]
    assert done.difference <= module.TOLERANCE[format]
    assert f"(B, 3, 4, {side}, {side})" in "\n".join(done.lines) and "0.4914" in "\n".join(done.lines)
    x = torch.randn(3, 3, 4, side, side)
    with torch.no_grad():
        want = backbone.eval()(x).pooled
        found = shared.run(done.lines, x.numpy() if format == "onnx" else x)["features"]
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-5)


def test_r3d18_is_torchvisions_where_stem_and_last_stage_are():
    with torch.device("meta"):
        ours = build_backbone("r3d18", clip_size=16, frames=4)
        scope = {}
        exec("\n".join(ours.lines_for("torchvision")), scope)
        others = [build_backbone("r3d18", clip_size=16, frames=4, stem="7x7x7")]
        others += [build_backbone("r3d18", clip_size=16, frames=4, last_stage="dense")]
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in (ours.network, scope["model"])]
    assert shapes[0] == shapes[1]
    for other in others:
        with pytest.raises(UserError, match="torchvision has no network r3d18"):
            other.lines_for("torchvision")


def test_the_file_says_what_it_is(tmp_path):
    backbone = trained("r3d10-small", side=32, stem="7x7x7", last_stage="dense")
    save_backbone(backbone, tmp_path / "runs" / "b.safetensors", method="ctp", facts={"fps": 25}, **STATISTICS)
    with safe_open(tmp_path / "runs" / "b.safetensors", "pt") as file:
        about = {k: json.loads(v) for k, v in file.metadata().items() if k != "format"}
        assert set(file.keys()) == set(backbone.network.state_dict())
    wanted = {"name": "r3d10-small", "stem": "7x7x7", "last_stage": "dense", "clip_size": 32, "frames": 4}
    assert about["backbone"] == wanted and about["fps"] == 25
    assert (about["clip_size"], about["frames"], about["method"]) == (32, 4, "ctp")
    again, words = load_backbone(tmp_path / "runs" / "b.safetensors")
    assert words == about and not again.training
    x = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(x).pooled, backbone.eval()(x).pooled)


def test_a_run_folder_gives_its_weights(tmp_path, small):
    save_backbone(small, tmp_path / "backbone.safetensors", method="", **STATISTICS)
    again = build_backbone("convnet3d", clip_size=16, frames=4, weights=str(tmp_path))
    state = small.network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in again.network.state_dict().items())


def test_channels_last_weights_are_written_plain(tmp_path):
    backbone = trained("convnet3d").to(memory_format=torch.channels_last_3d)
    save_backbone(backbone, tmp_path / "b.safetensors", method="", **STATISTICS)
    again, _ = load_backbone(tmp_path / "b.safetensors")
    assert torch.equal(again.network.layers[0].weight, backbone.network.layers[0].weight)


def test_a_file_that_gives_other_features_is_not_left_behind(tmp_path, small, monkeypatch):
    (tmp_path / "net.safetensors").write_text("the earlier one")
    good = module._lines
    monkeypatch.setattr(module, "_lines", lambda *a: [*good(*a), "features = features * 1.01"])
    with pytest.raises(UserError, match="other features"):
        export(small, tmp_path / "net.safetensors", format="safetensors", **STATISTICS)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
    assert (tmp_path / "net.safetensors").read_text() == "the earlier one"


def test_own_code_runs_only_when_allowed(tmp_path, monkeypatch):
    (tmp_path / "own_clip_net.py").write_text("import torch\ndef make():\n    return torch.nn.Conv3d(3, 4, 4, 4)\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = export(trained("own_clip_net:make"), tmp_path / "net", format="safetensors", **STATISTICS)
    assert "trust=True" in "\n".join(done.lines)
    for trust in (False, "another:make"):
        with pytest.raises(UserError, match="asks to import and run own_clip_net:make"):
            load_backbone(done.path, trust=trust)
    assert load_backbone(done.path, trust="own_clip_net:make")[0].width == 4


@pytest.mark.parametrize(
    ("name", "format", "file", "says"),
    [
        ("convnet3d", "torchvison", "n.safetensors", '"torchvision"'),
        ("convnet3d", "torchvision", "n.safetensors", "no network convnet3d"),
        ("convnet3d", "onnx", "n.pt", "n.onnx"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, name, format, file, says):
    with pytest.raises(UserError, match=says):
        export(build_backbone(name, clip_size=16, frames=4), tmp_path / file, format=format, **STATISTICS)
    assert not list(tmp_path.iterdir())


def damaged(backbone, path, **changes):
    """The file of a backbone with some of its blueprint changed."""
    save_backbone(backbone, path, method="", **STATISTICS)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    blueprint = {**json.loads(metadata["backbone"]), **changes}
    save_file(load_file(path), path, {**metadata, "backbone": json.dumps(blueprint)})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "torchvision:swin3d_b"}, "does not hold the weights"),  # larger than the file: never made
        ({"name": "r3d10-small", "stem": "3x3x3"}, "does not hold the weights"),
        ({"name": "hub/other"}, "no library has"),
        ({"name": "os:abort"}, "asks to import and run"),
        ({"clip_size": 10**9}, "clip_size cannot be meant"),
        ({"frames": 0}, "frames cannot be meant"),
        ({"frames": True}, "frames cannot be meant"),
        ({"clip_size": 4096, "frames": 4096}, "memory"),
        ({"last_stage": 3}, "last_stage cannot be meant"),
        ({"stem": "x"}, "its own stem"),
    ],
)
def test_a_file_decides_neither_code_nor_memory(tmp_path, small, changes, says):
    damaged(small, tmp_path / "b.safetensors", **changes)
    with pytest.raises(UserError, match=says) as caught:
        load_backbone(tmp_path / "b.safetensors")
    assert "\n" not in str(caught.value)


class Payload:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_files_that_are_no_weights_get_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Payload()}, tmp_path / "evil.pt")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    for name in ("evil.pt", "empty.safetensors", "other.safetensors", "none.pt"):
        with pytest.raises(UserError) as caught:
            build_backbone("convnet3d", clip_size=16, frames=4, weights=str(tmp_path / name))
        assert name in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_backbone_for_pictures_is_none_for_clips(tmp_path):
    from twofold.images.backbones import build_backbone as for_pictures
    from twofold.images.backbones import load_backbone as load_for_pictures

    save_backbone(for_pictures("convnet", image_size=16), tmp_path / "p.safetensors", method="", **STATISTICS)
    with pytest.raises(UserError, match="is not a backbone that twofold wrote"):
        load_backbone(tmp_path / "p.safetensors")
    save_backbone(
        build_backbone("convnet3d", clip_size=16, frames=4), tmp_path / "c.safetensors", method="", **STATISTICS
    )
    with pytest.raises(UserError, match="is not a backbone that twofold wrote"):
        load_for_pictures(tmp_path / "c.safetensors")
