"""Weights from files: prefixes are stripped, twins told apart, misfits refused, nothing unpickled."""

import pytest
import torch
from safetensors.torch import save_file

from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.pixels.backbones.weights import fill


@pytest.fixture(scope="module")
def state():
    return build_backbone("convnet", image_size=16).network.state_dict()


def same(backbone, state):
    return all(torch.equal(v, state[k]) for k, v in backbone.network.state_dict().items())


@pytest.mark.parametrize(
    "prefix", ["", "module.", "backbone.", "module.encoder_q.", "student.backbone.network.", "a.very.odd.one."]
)
def test_any_prefix_is_stripped(tmp_path, state, prefix):
    save_file({prefix + k: v for k, v in state.items()} | {"head.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    backbone = build_backbone("convnet", image_size=16, weights=str(tmp_path / "w.safetensors"))
    assert same(backbone, state)
    assert f"{sum('num_batches' not in k for k in state)} weights loaded" in backbone.describe()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_nested_torch_checkpoints_load(tmp_path, state, suffix):
    inner = {f"module.{k}": v for k, v in state.items()}
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "state_dict": inner}, tmp_path / f"w{suffix}")
    assert same(build_backbone("convnet", image_size=16, weights=str(tmp_path / f"w{suffix}")), state)


def test_of_two_encoders_the_trained_one_is_taken(tmp_path, state):
    both = {f"encoder_k.{k}": torch.zeros_like(v) for k, v in state.items()}
    both |= {f"encoder_q.{k}": v for k, v in state.items()}
    save_file(both, tmp_path / "moco.safetensors")
    assert same(build_backbone("convnet", image_size=16, weights=str(tmp_path / "moco.safetensors")), state)


def test_the_report_names_what_did_not_fit(state):
    network = build_backbone("convnet", image_size=16).network
    some = {k: v for k, v in state.items() if k != "layers.0.weight"} | {"fc.bias": torch.zeros(2)}
    some["layers.3.weight"] = torch.zeros(1)
    loaded = fill(network, some, "here")
    assert loaded.missing == ["layers.0.weight", "layers.3.weight"]
    assert sorted(loaded.unexpected) == ["fc.bias", "layers.3.weight"]
    assert "2 missing (layers.0.weight, layers.3.weight)" in str(loaded)


def test_resnet_with_another_stem_keeps_the_rest(tmp_path):
    large = build_backbone("resnet10", image_size=224)
    save_file(large.network.state_dict(), tmp_path / "w.safetensors")
    small = build_backbone("resnet10", image_size=32, weights=str(tmp_path / "w.safetensors"))
    assert "1 missing (conv1.weight)" in small.describe()
    assert torch.equal(small.network.layer4[0].conv1.weight, large.network.layer4[0].conv1.weight)


class Payload:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_bad_files_get_one_sentence(tmp_path, state, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"x": Payload()}, tmp_path / "evil.pt")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "text.pth").write_text("hello")
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    save_file({"layers.0.weight": torch.zeros(1)}, tmp_path / "shape.safetensors")
    for name in ("evil.pt", "empty.safetensors", "text.pth", "other.safetensors", "shape.safetensors", "none.pt"):
        with pytest.raises(UserError) as caught:
            build_backbone("convnet", image_size=16, weights=str(tmp_path / name))
        assert name in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()
    about = {"backbone": '{"name": "convnet", "stem": "own", "image_size": 16}', "mean": "[0]", "std": "[1]"}
    save_file({"layers.0.weight": torch.zeros(1)}, tmp_path / "mine.safetensors", {**about, "image_size": "16"})
    odd = {**about, "image_size": "16", "backbone": '{"name": "convnet"}'}
    save_file({"layers.0.weight": torch.zeros(1)}, tmp_path / "odd.safetensors", odd)
    for name in (
        "mine.safetensors",
        "odd.safetensors",
        "empty.safetensors",
        "other.safetensors",
        "none.safetensors",
        "text.pth",
    ):
        with pytest.raises(UserError, match=name):
            load_backbone(tmp_path / name)
