"""Backbones as detection and segmentation libraries load them: what the files hold, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import pickle

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.testing import assert_close
from torchvision.models import resnet18

from twofold.errors import UserError
from twofold.images.backbones import build_backbone
from twofold.images.backbones.export import export
from twofold.images.backbones.residual import detectron2_names, read_residual, transformers_names

STATISTICS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    made = build_backbone("resnet18", image_size=64, stem="imagenet")
    for norm in made.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
    return made.eval()


def plain(backbone):
    return backbone.network.state_dict()


@pytest.mark.parametrize("format", ["mmdet", "mmseg"])
def test_mm_gets_torchvisions_names(backbone, tmp_path, format):
    done = export(backbone, tmp_path / "a.pth", format=format, method="densecl", **STATISTICS)
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    network = resnet18(weights=None)
    network.fc = torch.nn.Identity()
    network.load_state_dict(state.get("state_dict", state))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in plain(backbone).items())
    lines = "\n".join(done.lines)
    assert "style='pytorch'" in lines and "bgr_to_rgb=True" in lines and ("ResNetV1c" in lines) == (format == "mmseg")


def test_detectron2_gets_its_pickle_and_its_configuration(backbone, tmp_path):
    export(backbone, tmp_path / "a.pkl", format="detectron2", method="densecl", **STATISTICS)
    stored = pickle.loads((tmp_path / "a.pkl").read_bytes())  # our own file
    names = detectron2_names(list(plain(backbone)))
    assert stored["matching_heuristics"] is True and set(stored["model"]) <= set(names.values())
    for old, new in names.items():
        if new in stored["model"]:
            assert torch.equal(torch.as_tensor(stored["model"][new]), plain(backbone)[old])
    about = yaml.safe_load((tmp_path / "a.yaml").read_text())
    assert about["INPUT"]["FORMAT"] == "RGB" and about["MODEL"]["RESNETS"]["STRIDE_IN_1X1"] is False
    assert about["MODEL"]["PIXEL_MEAN"] == pytest.approx([123.675, 116.28, 103.53])


def test_transformers_gets_a_folder(backbone, tmp_path):
    export(backbone, tmp_path / "hf", format="transformers", method="densecl", **STATISTICS)
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["model_type"] == "resnet"
    state = load_file(tmp_path / "hf" / "model.safetensors")
    names = transformers_names(list(plain(backbone)))
    assert len(set(names.values())) == len(names)
    # What is stored ends in those names, whatever the model's own prefix.
    assert all(any(stored.endswith(new) for stored in state) for new in names.values() if "num_batches" not in new)


def test_smp_gets_the_encoders_names(backbone, tmp_path):
    export(backbone, tmp_path / "a.safetensors", format="smp", method="densecl", **STATISTICS)
    assert set(load_file(tmp_path / "a.safetensors")) == set(plain(backbone))


@pytest.mark.parametrize(
    ("format", "module", "name"),
    [
        ("smp", "segmentation_models_pytorch", "resnet18"),
        ("transformers", "transformers", "resnet18"),
        ("transformers", "transformers", "vit_b_32"),
        ("ultralytics", "ultralytics", "resnet18"),
    ],
)
def test_the_lines_run_where_the_library_is_installed(backbone, tmp_path, format, module, name):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    made = backbone if name == "resnet18" else build_backbone(name, image_size=64).eval()
    out = tmp_path / ("a" if format == "transformers" else "a.safetensors")
    done = export(made, out, format=format, method="densecl", **STATISTICS)
    assert "the lines below were run in" in done.checked and done.difference <= 1e-5
    if format != "ultralytics":  # whose last line trains
        scope = {"x": torch.randn(2, 3, 64, 64)}
        exec("\n".join(done.lines), scope)
        expected = made(scope["x"])._asdict() | {"features": made(scope["x"]).pooled}
        found = scope.keys() & {"map", "features"}
        assert found
        for kind in found:
            assert_close(scope[kind], expected[kind], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("format", ["detectron2", "mmdet", "mmseg", "smp", "transformers", "ultralytics"])
def test_what_a_target_cannot_build_is_refused_with_the_remedy(tmp_path, format):
    small = build_backbone("resnet18", image_size=32, stem="cifar").eval()
    with pytest.raises(UserError, match=r"has the cifar stem .* pretrain with --stem imagenet"):
        export(small, tmp_path / "a", format=format, method="moco", **STATISTICS)
    own = build_backbone("convnet", image_size=32).eval()
    with pytest.raises(UserError, match=r"and convnet is none: export it"):
        export(own, tmp_path / "b", format=format, method="moco", **STATISTICS)


def test_a_plain_resnet_is_read_off_its_weights(backbone):
    assert read_residual(plain(backbone)).name == "resnet18"
    assert read_residual(build_backbone("resnet10", image_size=64, stem="imagenet").network.state_dict()).name is None
    assert read_residual({"a": torch.zeros(1)}) is None
