"""`export`: the backbone as a file for other libraries."""

from __future__ import annotations

from pathlib import Path

from twofold.printable import say
from twofold.videos.backbones.export import SUFFIXES, export
from twofold.videos.jobs.model import open_model
from twofold.videos.options import Clips, Export


def run(model: str, options: Export) -> Path:
    """Write the file, and print the lines that load it; see `api.export`."""
    opened = open_model(model, Clips(), trust=options.trust)
    place, name = (opened.run, "backbone") if opened.run else (Path(model).parent, Path(model).stem)
    out = Path(options.out or place / f"{name}-{options.format}{SUFFIXES[options.format]}")
    inputs = opened.inputs
    facts = {"stride": inputs.stride, "fps": inputs.fps, "precision": inputs.precision}
    exported = export(
        opened.backbone.cpu(),
        out,
        format=options.format,
        mean=inputs.mean,
        std=inputs.std,
        method=opened.method,
        facts=facts,
    )
    apart_by = "" if exported.difference is None else f", by at most {exported.difference:.1e} (relative)"
    say(f"A clip is {inputs.frames} frames with a stride of {inputs.stride}.")
    say(f"{exported.path}: {exported.checked}{apart_by}. It loads with:\n")
    say("\n".join(exported.lines))
    return exported.path
