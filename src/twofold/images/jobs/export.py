"""`export`: the backbone as a file for other libraries."""

from __future__ import annotations

from pathlib import Path

from twofold.images.backbones.export import export
from twofold.images.jobs.model import open_model
from twofold.images.options import Export
from twofold.printable import say


def run(model: str, options: Export) -> Path:
    """Write the file, and print the lines that load it; see `api.export`."""
    opened = open_model(model, precision="fp32", trust=options.trust)
    place = opened.run or Path(model).parent
    suffix = ".onnx" if options.format == "onnx" else ".safetensors"
    out = Path(options.out or place / f"backbone-{options.format}{suffix}")
    mean, std = opened.inputs.mean, opened.inputs.std
    exported = export(opened.backbone, out, format=options.format, mean=mean, std=std, method=opened.method)
    say(f"{exported.path}: checked, features differ by at most {exported.difference:.1e} (relative). It loads with:\n")
    say("\n".join(exported.lines))
    return exported.path
