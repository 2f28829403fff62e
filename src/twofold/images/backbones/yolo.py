"""A ResNet as the backbone of a detector of ultralytics: its YAML, and training that begins with these weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.errors import UserError
from twofold.images.backbones.residual import Residual

_LIMIT = 600  # seconds that ultralytics may take to set itself up
# A detector by its layers: 1 the backbone, 2 to 4 its maps at strides 8, 16 and 32, then a pyramid down and up.
_HEAD = [
    [-1, 1, "SPPF", [256, 5]],
    [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
    [[-1, 3], 1, "Concat", [1]],
    [-1, 1, "C2f", [256]],
    [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
    [[-1, 2], 1, "Concat", [1]],
    [-1, 1, "C2f", [256]],
    [-1, 1, "Conv", [256, 3, 2]],
    [[-1, 8], 1, "Concat", [1]],
    [-1, 1, "C2f", [256]],
    [-1, 1, "Conv", [256, 3, 2]],
    [[-1, 5], 1, "Concat", [1]],
    [-1, 1, "C2f", [256]],
    [[11, 14, 17], 1, "Detect", ["nc"]],
]


def detector(shape: Residual) -> dict[str, Any]:
    """The model's YAML: a layer that normalises, torchvision's network by name, a feature pyramid, YOLO's head."""
    network = [shape.channels[-1], shape.name, None, True, 2, True]
    layers: list[list[Any]] = [[-1, 1, "nn.Conv2d", [3, 3, 1, 1, 0, 1, 3]], [-1, 1, "TorchVision", network]]
    layers += [[1, 1, "Index", [shape.channels[stage], 5 + stage]] for stage in (1, 2, 3)]
    return {"nc": 80, "backbone": layers, "head": _HEAD}


def normalising(mean: Sequence[float], std: Sequence[float]) -> dict[str, Tensor]:
    """The weights of its layer 0, which takes RGB in [0, 1]."""
    spread = torch.tensor(std, dtype=torch.float32)
    bias = -torch.tensor(mean, dtype=torch.float32) / spread
    return {"model.0.weight": (1 / spread).reshape(3, 1, 1, 1), "model.0.bias": bias}


def names(known: list[str]) -> dict[str, str]:
    """torchvision's names of a ResNet's weights -> those of a YOLO whose layer 1 is its `TorchVision` module, which
    numbers the network's children; those of the classifier are left out."""
    children = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    kept = [name for name in known if not name.startswith("fc.")]
    return {name: f"model.1.m.{children.index(name.split('.')[0])}.{name.split('.', 1)[1]}" for name in kept}


def train_lines(path: Path) -> list[str]:
    """Python that trains it from the weights at `path`, the model's YAML beside them.

    train() makes its network anew, so the weights go in where it does; a run that is continued keeps its own.
    """
    return [
        "from safetensors.torch import load_file",
        "from ultralytics import YOLO",
        "from ultralytics.models.yolo.detect import DetectionTrainer",
        "class Trainer(DetectionTrainer):",
        "    def get_model(self, *args, **kwargs):  # train() makes its network here",
        "        made = super().get_model(*args, **kwargs)",
        "        for norm in made.model[1].modules():",
        "            if hasattr(norm, 'running_var'):",
        "                norm.eps = 1e-5  # ultralytics sets 0.001",
        "        if not self.resume:",
        f"            left = made.load_state_dict(load_file({str(path)!r}), strict=False)",
        "            assert not left.unexpected_keys",
        "        return made",
        f"model = YOLO({str(path.with_suffix('.yaml'))!r})",
        "# layer 0 normalises the pixels, which ultralytics gives as RGB in [0, 1]; freeze=1 keeps it as it is",
        "model.train(trainer=Trainer, data='data.yaml', freeze=1)  # your data",
    ]


def maps_after_set_up(lines: Sequence[str], x: Tensor, folder: Path) -> list[Tensor]:
    """The last maps after train() has set itself up by the lines, for the batch `x` of RGB in [0, 1]: of the network
    that would learn, and of its moving average. folder: for what ultralytics writes.

    It runs in a process of its own, without a network or the user's settings, and stops before the first step.
    """
    data = _made_data(folder)
    np.save(folder / "x.npy", x.numpy())
    (folder / "lines.json").write_text(json.dumps([*lines, data]))
    own = {"YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(folder), "YOLO_AUTOINSTALL": "false"}
    code = f"from {__name__} import _in_ultralytics; _in_ultralytics({str(folder)!r})"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LIMIT,
    )
    maps = sorted(folder.glob("map*.npy"))
    if done.returncode or len(maps) != 2:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise UserError(f"ultralytics does not run the lines ({last[:200]}); nothing was written.")
    return [torch.from_numpy(np.load(file)) for file in maps]


def _made_data(folder: Path) -> str:
    """A data set of two pictures with a box each, for a set-up that wants one: its YAML file."""
    for name in ("images", "labels"):
        (folder / "made" / name).mkdir(parents=True)
    for i in range(2):
        Image.new("RGB", (64, 64), (90, 120, 60 + i)).save(folder / "made" / "images" / f"{i}.png")
        (folder / "made" / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    about = {"path": str(folder / "made"), "train": "images", "val": "images", "names": {0: "thing"}}
    (folder / "made.yaml").write_text(json.dumps(about))
    return str(folder / "made.yaml")


class _Reached(Exception):
    """The set-up is over."""


def _in_ultralytics(folder: str) -> None:
    place = Path(folder)
    *lines, data = json.loads((place / "lines.json").read_text())
    x = torch.from_numpy(np.load(place / "x.npy"))
    scope: dict[str, Any] = {}
    exec("\n".join(lines[:-1]), scope)

    def look(trainer: Any) -> None:
        for number, network in enumerate((trainer.model, trainer.ema.ema)):
            layers = network.float().eval().model
            with torch.no_grad():
                np.save(place / f"map{number}.npy", layers[1](layers[0](x))[-1].numpy())
        raise _Reached

    scope["model"].add_callback("on_train_start", look)
    small = f"data={data!r}, epochs=1, imgsz=64, batch=2, workers=0, device='cpu', plots=False, project={folder!r}, "
    try:
        exec(lines[-1].replace("data='data.yaml', ", small), scope)
    except _Reached:
        return
