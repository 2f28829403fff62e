"""Which backbone a command means: a run folder, an exported file, or an untrained network by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from twofold.errors import UserError
from twofold.images.backbones import Backbone, build_backbone, load_backbone
from twofold.images.evaluation.features import InputSettings
from twofold.images.options import Columns
from twofold.images.reading import Images, open_source
from twofold.images.views.augmentations import statistics_named
from twofold.training.distribution import choose_precision

BACKBONE_FILE = "backbone.safetensors"
RANDOM = "random:"


@dataclass(frozen=True)
class Model:
    """A backbone in evaluation mode on its device, how images reach it, its names, and its run folder if any."""

    backbone: Backbone
    inputs: InputSettings
    method: str
    name: str
    run: Path | None


def open_model(
    name: str,
    *,
    image_size: int | None = None,
    precision: str = "auto",
    batch_size: int = 256,
    trust: bool | str = False,
) -> Model:
    """The model that a command line names. Raises UserError where there is none, in words that say what to do.

    trust: whether, or by which one import path, it may bring its own network; see `backbones.load_backbone`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path, run = Path(name), None
    if name.startswith(RANDOM):
        size = image_size or 224
        backbone = build_backbone(name[len(RANDOM) :], image_size=size).eval()
        about: dict[str, Any] = {"image_size": size, "method": "untrained"}
        about["mean"], about["std"] = statistics_named("imagenet")
    else:
        if os.path.isdir(path):
            run, path = path, path / BACKBONE_FILE
            if not os.path.isfile(path):
                raise UserError(
                    f"{run} holds no {BACKBONE_FILE}: the run has not finished; start the same pretrain command again."
                    if (run / "config.yaml").is_file()
                    else f"{run} is not a run folder: it holds no config.yaml."
                )
        elif not os.path.isfile(path):
            raise UserError(f"{name} is no run folder and no backbone file: give one of them, or {RANDOM}resnet18.")
        backbone, about = load_backbone(path, trust=trust)
    inputs = InputSettings(
        image_size or int(about["image_size"]),
        tuple(about["mean"]),
        tuple(about["std"]),
        device=device,
        precision=choose_precision(precision, device),  # type: ignore[arg-type]
        batch_size=batch_size,
    )
    backbone = backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(backbone, inputs, str(about["method"]), name.rstrip("/"), run)


def open_images(data: str, options: Columns, size: int, device: torch.device | str, **settings: Any) -> Images:
    """The images of a path, for views of `size` pixels.

    They are kept at twice the size on the short side: crops smaller than half of that are enlarged, as they are from
    the usual 500 px photographs at 224 px.
    """
    source = open_source(data, image_column=options.image_column, label_column=options.label_column)
    return Images(source, short_side=2 * size, workers=options.workers, device=device, **settings)
