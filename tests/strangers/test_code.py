"""Nothing that a stranger gives runs: import paths out of files are neither imported nor looked up."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import twofold
from twofold import wings
from twofold.cli import main
from twofold.errors import UserError
from twofold.images.backbones import load_backbone
from twofold.images.jobs.model import open_model

OLD = Path(__file__).parent.parent / "old_runs"
PAYLOAD = """
import pathlib, torch
pathlib.Path({marker!r}).write_text("ran")
def make():
    return torch.nn.Conv2d(3, 4, 4, 4)
class Mod: pass
"""


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A package in reach, and the file that it writes when anything of it is imported."""
    marker = tmp_path / "marker"
    for place in ("evil/__init__.py", "evil/pkg/__init__.py", "evil/pkg/deep.py"):
        (tmp_path / "code" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / place).write_text(PAYLOAD.format(marker=str(marker)))
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    yield marker
    for name in [name for name in sys.modules if name.split(".")[0] == "evil"]:
        del sys.modules[name]


def stranger(path: Path, name: str, **more: object) -> Path:
    """A file as twofold writes one, which names a backbone."""
    about = {
        "backbone": {"name": name, "stem": "own", "image_size": 16},
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
        "image_size": 16,
        "method": "moco",
        **more,
    }
    tensors = {"weight": torch.zeros(4, 3, 4, 4), "bias": torch.zeros(4)}
    save_file(tensors, path, {key: json.dumps(value) for key, value in about.items()})
    return path


@pytest.fixture
def photos(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 255, (12, 16, 16, 3), np.uint8), np.arange(12) % 2
    np.savez(tmp_path / "photos.npz", images=images, labels=labels)
    return str(tmp_path / "photos.npz")


def test_a_strangers_file_names_a_module_and_nothing_runs(tmp_path, marker, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = str(stranger(tmp_path / "b.safetensors", "evil.pkg.deep:make"))
    for verb in (
        lambda: twofold.evaluate(file, photos, protocols="5nn", quiet=True),
        lambda: twofold.embed(file, photos, quiet=True),
        lambda: twofold.export(file, format="safetensors"),
        lambda: load_backbone(file),
    ):
        with pytest.raises(UserError, match=r"asks to import and run evil.pkg.deep:make: add --trust"):
            verb()
    assert main(["embed", file, photos]) == 2
    assert not marker.exists() and "evil" not in sys.modules


def test_with_consent_it_runs(tmp_path, marker, photos):
    file = stranger(tmp_path / "b.safetensors", "evil.pkg.deep:make")
    assert main(["embed", str(file), photos, "--trust", "--quiet", "--out", str(tmp_path / "v.parquet")]) == 0
    assert marker.exists()
    assert twofold.export(str(file), format="safetensors", out=str(tmp_path / "out.safetensors"), trust=True).is_file()


def test_a_run_folder_is_a_strangers_file_too(tmp_path, marker, photos):
    shutil.copytree(OLD / "images-finished", tmp_path / "run")
    stranger(tmp_path / "run" / "backbone.safetensors", "evil:make")
    for trust in (False, "evil.pkg:make"):
        with pytest.raises(UserError, match=r"evil\.pkg:make was named" if trust else "--trust"):
            open_model(str(tmp_path / "run"), trust=trust)
    assert not marker.exists()
    # A comparison trusts the very path that the user typed.
    assert open_model(str(tmp_path / "run"), trust="evil:make").backbone.width == 4


@pytest.mark.parametrize(
    "method", ["moco+evil.pkg.deep.Mod", "evil.pkg.deep.Mod", "evil.Mod+co2", "popularity+evil.Mod"]
)
@pytest.mark.parametrize("kind", ["", "kind: images\n", "kind: interactions\n", "kind: evil.pkg\n"])
def test_settings_of_a_run_folder_import_nothing(tmp_path, marker, photos, method, kind):
    for old in ("images-finished", "formula", "interactions-finished"):
        folder = tmp_path / f"run-{old}"
        shutil.copytree(OLD / old, folder)
        rest = "".join(
            line
            for line in (folder / "config.yaml").read_text().splitlines(keepends=True)
            if not line.startswith(("method:", "kind:"))
        )
        (folder / "config.yaml").write_text(f"method: {method}\n{kind}{rest}")
        with contextlib.suppress(UserError):
            wings.of_run(str(folder))
        for name, more in (
            ("report", ()),
            ("recommend", ()),
            ("similar", ("i1",)),
            ("evaluate", (photos,)),
            ("embed", (photos,)),
            ("export", ()),
        ):
            try:
                getattr(twofold, name)(str(folder), *more)
            except UserError as error:
                assert "\n" not in str(error)
    assert not marker.exists() and "evil" not in sys.modules


@pytest.mark.parametrize(
    "name",
    [
        "timm:hf_hub:timm/resnet18.a1_in1k",
        "timm:hf-hub:timm/resnet18",
        "timm:resnet18.hf-hub:x",
        "hf-hub:timm/resnet18",
        "torchvision:../resnet18",
        "timm:local-dir:/tmp",
        "resnet18/../x",
        "\x1b[31mred",
        "os:abort",
        ":",
        "timm:",
        "x" * 10_000,
    ],
)
def test_names_are_names_only(tmp_path, name, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("asked the network"))
    with pytest.raises(UserError) as caught:
        load_backbone(stranger(tmp_path / "b.safetensors", name), trust=False)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": "x"},
        {"mean": [0.1, 0.2]},
        {"mean": [1e400, 0, 0]},
        {"std": [0, 1, 1]},
        {"std": [True, None, 1]},
        {"image_size": -1},
        {"image_size": 10**9},
        {"image_size": "16"},
        {"image_size": 16.5},
        {"method": ["moco"]},
        {"backbone": ["convnet"]},
        {"backbone": {"name": 3, "stem": "own", "image_size": 16}},
        {"backbone": {"name": "convnet", "stem": None, "image_size": 16}},
        {"backbone": {"name": "convnet", "stem": "own", "image_size": 0}},
        {"backbone": {"name": "resnet18", "stem": "odd", "image_size": 16}},
        {"backbone": {"name": "vit_b_16", "stem": "own", "image_size": 17}},
        {"backbone": None},
    ],
)
def test_metadata_of_the_wrong_type_is_one_sentence(tmp_path, wrong):
    with pytest.raises(UserError) as caught:
        load_backbone(stranger(tmp_path / "b.safetensors", "convnet", **wrong))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("text", ["[1, 2]", "[" * 100_000, "NaN", "9" * 10_000, "{", ""])
def test_metadata_that_is_no_mapping(tmp_path, text):
    save_file(
        {"w": torch.zeros(1)},
        tmp_path / "b.safetensors",
        dict.fromkeys(("mean", "std", "image_size", "backbone"), text),
    )
    with pytest.raises(UserError):
        load_backbone(tmp_path / "b.safetensors")


def test_a_network_that_the_file_cannot_hold_is_not_made(tmp_path):
    for name in ("torchvision:vit_h_14", "torchvision:vgg19"):
        with pytest.raises(UserError, match="does not hold the weights of the network it names"):
            load_backbone(
                stranger(tmp_path / "b.safetensors", name, backbone={"name": name, "stem": "own", "image_size": 224})
            )


def test_the_advice_after_training_asks_for_consent_where_it_is_needed(tmp_path, marker, photos, capsys):
    command = (
        f"pretrain simclr {photos} --epochs 1 --batch-size 4 --image-size 16 --knn-every 0 --no-report --workers 0"
    )
    assert main([*command.split(), "--backbone", "evil:make", "--out", str(tmp_path / "own")]) == 0
    assert f"twofold embed {tmp_path / 'own'} DATA --trust" in capsys.readouterr().out.replace("\n", " ")
    assert main([*command.split(), "--backbone", "convnet", "--out", str(tmp_path / "ours")]) == 0
    assert "--trust" not in capsys.readouterr().out
