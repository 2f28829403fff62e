"""Export: the printed lines, run in a fresh process, give the backbone's own features."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open

from twofold.errors import UserError
from twofold.images.backbones import build_backbone, load_backbone
from twofold.images.backbones import export as module
from twofold.images.backbones.export import export
from twofold.pixels.backbones.export import save_backbone

STATISTICS = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}


def trained(name, size=16):
    """A backbone whose batch-norm statistics and scales are not the initial ones."""
    torch.manual_seed(0)
    backbone = build_backbone(name, image_size=size)
    with torch.no_grad():
        backbone.train()(2 + torch.randn(8, 3, size, size))
        for p in backbone.parameters():
            p.add_(0.01 * torch.randn_like(p))
    return backbone


CASES = [
    ("resnet18", "torchvision"),
    ("resnet10", "timm"),
    ("timm:resnet18", "torchvision"),
    ("timm:vit_tiny_patch16_224", "timm"),
    ("convnet", "safetensors"),
    ("convnet", "onnx"),
]
RUN = """
import json, sys, numpy, torch
folder = sys.argv[1]
for number, (format, lines) in enumerate(json.load(open(folder + "/lines.json"))):
    x = numpy.load(folder + "/x.npy")
    scope = {"x": x if format == "onnx" else torch.from_numpy(x)}
    exec("\\n".join(lines), scope)
    features = scope["features"]
    numpy.save(f"{folder}/{number}.npy", features if format == "onnx" else features.detach().numpy())
"""


def test_the_printed_lines_load_it_in_a_fresh_process(tmp_path):
    x = torch.randn(3, 3, 16, 16)
    np.save(tmp_path / "x.npy", x.numpy())
    wanted, printed = [], []
    for name, format in CASES:
        backbone = trained(name)
        out = tmp_path / "out" / f"{len(wanted)}.{'onnx' if format == 'onnx' else 'safetensors'}"
        done = export(backbone, out, format=format, method="moco", **STATISTICS)
        assert backbone.training and done.path.is_file() and done.difference <= module.TOLERANCE[format]
        assert "0.4914, 0.4822, 0.4465" in "\n".join(done.lines)
        printed.append((format, done.lines))
        with torch.no_grad():
            wanted.append(backbone.eval()(x).pooled)
    assert len(list((tmp_path / "out").iterdir())) == len(CASES)
    (tmp_path / "lines.json").write_text(json.dumps(printed))
    subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], check=True, timeout=120)
    for number, want in enumerate(wanted):
        got = torch.from_numpy(np.load(tmp_path / f"{number}.npy"))
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_the_file_says_what_it_is(tmp_path):
    backbone = trained("resnet10")
    save_backbone(backbone, tmp_path / "runs" / "b.safetensors", method="simclr", **STATISTICS)
    with safe_open(tmp_path / "runs" / "b.safetensors", "pt") as file:
        about = {k: json.loads(v) for k, v in file.metadata().items() if k != "format"}
        assert set(file.keys()) == set(backbone.network.state_dict())
    assert about["backbone"] == {"name": "resnet10", "stem": "cifar", "image_size": 16}
    assert about["mean"] == list(STATISTICS["mean"]) and about["image_size"] == 16 and about["method"] == "simclr"
    again, words = load_backbone(tmp_path / "runs" / "b.safetensors")
    assert words == about and not again.training
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again(x).pooled, backbone.eval()(x).pooled)


def test_channels_last_weights_are_written_plain(tmp_path):
    backbone = trained("convnet").to(memory_format=torch.channels_last)
    save_backbone(backbone, tmp_path / "b.safetensors", method="", **STATISTICS)
    again, _ = load_backbone(tmp_path / "b.safetensors")
    assert torch.equal(again.network.layers[0].weight, backbone.network.layers[0].weight)


def test_a_file_that_gives_other_features_is_not_left_behind(tmp_path, monkeypatch):
    (tmp_path / "net.safetensors").write_text("the earlier one")
    good = module._lines
    monkeypatch.setattr(module, "_lines", lambda *a: [*good(*a), "features = features * 1.01"])
    with pytest.raises(UserError, match="other features"):
        export(trained("resnet10"), tmp_path / "net.safetensors", format="torchvision", **STATISTICS)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
    assert (tmp_path / "net.safetensors").read_text() == "the earlier one"


def test_own_code_runs_only_when_allowed(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text("import torch\ndef make():\n    return torch.nn.Conv2d(3, 4, 4, 4)\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = export(trained("own_net:make"), tmp_path / "net.safetensors", format="safetensors", **STATISTICS)
    assert "trust=True" in "\n".join(done.lines)
    with pytest.raises(UserError, match="trust=True"):
        load_backbone(done.path)


@pytest.mark.parametrize(
    ("name", "format", "file", "says"),
    [
        ("convnet", "torchvison", "n.safetensors", '"torchvision"'),
        ("convnet", "torchvision", "n.safetensors", "no network convnet"),
        ("timm:convnext_atto", "torchvision", "n.safetensors", "export it to timm"),
        ("convnet", "onnx", "n.pt", "n.onnx"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, name, format, file, says):
    with pytest.raises(UserError, match=says):
        export(build_backbone(name, image_size=32), tmp_path / file, format=format, **STATISTICS)
    assert not list(tmp_path.iterdir())


def test_missing_onnx_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"twofold\[onnx\]"):
        export(trained("convnet"), tmp_path / "n", format="onnx", **STATISTICS)
