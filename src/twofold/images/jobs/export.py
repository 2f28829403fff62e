"""`export`: the backbone as a file for other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twofold.images.backbones.export import export
from twofold.images.jobs.model import open_model


def run(given: dict[str, Any]) -> Path:
    """Write the file, and print the lines that load it; see `api.export`."""
    model = open_model(given["model"], precision="fp32")
    place = model.run or Path(given["model"]).parent
    suffix = ".onnx" if given["format"] == "onnx" else ".safetensors"
    out = Path(given["out"] or place / f"backbone-{given['format']}{suffix}")
    mean, std = model.inputs.mean, model.inputs.std
    exported = export(model.backbone, out, format=given["format"], mean=mean, std=std, method=model.method)
    print(
        f"{exported.path}: checked, features differ by at most {exported.difference:.1e} (relative). It loads with:\n"
    )
    print("\n".join(exported.lines))
    return exported.path
