"""A trained backbone over clips as a file that other libraries load, checked by running the lines that load it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from twofold.errors import UserError, nearest
from twofold.pixels.backbones import export as shared
from twofold.pixels.backbones.export import Exported
from twofold.videos.backbones.names import is_own

SUFFIXES = {"torchvision": ".safetensors", "safetensors": ".safetensors", "onnx": ".onnx"}
FORMATS = tuple(SUFFIXES)
TOLERANCE = {"torchvision": 1e-5, "safetensors": 1e-5, "onnx": 1e-4}
_EACH_FRAME = "model(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(x), -1)).mean(1)"


class Exportable(shared.Exportable, Protocol):
    """What export needs of a backbone (videos.backbones.Backbone has it)."""

    source: str
    clip_size: int
    frames: int


def export(
    backbone: Exportable,
    out: str | Path,
    *,
    format: str,
    mean: Sequence[float],
    std: Sequence[float],
    method: str = "",
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Exported:
    """Write `backbone` to `out` for one of `FORMATS`; "safetensors" is for twofold itself.

    The lines that load the file are run, and what they compute is compared with the backbone's: relative difference at
    most 1e-5 (1e-4 for onnx), for 4 clips and for 1, else nothing is left at `out`. Raises UserError for an unknown
    format, a network that torchvision does not have, a missing extra, or a failed check.
    """
    if format not in FORMATS:
        raise UserError(f'There is no export format "{format}"; choose {", ".join(FORMATS)}.{nearest(format, FORMATS)}')
    out = shared.place(Path(out), format, SUFFIXES[format])
    reference = copy.deepcopy(backbone).cpu().train(False)  # the lines run on the CPU
    about = shared.described(backbone, mean, std, method, facts)
    x = shared.random_batch(3, backbone.frames, backbone.clip_size, backbone.clip_size)
    return shared.export_file(
        reference,
        out,
        x,
        format=format,
        tolerance=TOLERANCE[format],
        write=lambda path: (
            shared.write_onnx(reference, path, x, "clips", about)
            if format == "onnx"
            else shared.save_backbone(reference, path, mean=mean, std=std, method=method, facts=facts)
        ),
        lines=lambda path: _lines(backbone, path, format, mean, std),
    )


def _lines(backbone: Exportable, path: Path, format: str, mean: Sequence[float], std: Sequence[float]) -> list[str]:
    file = str(path)
    about = shared.about_input((backbone.frames, backbone.clip_size, backbone.clip_size), mean, std)
    if format == "onnx":
        return shared.onnx_lines(file, about, "clips")
    if format == "safetensors":
        allow = ", trust=True" if is_own(backbone.blueprint()["name"]) else ""
        return [
            "from twofold.videos.backbones import load_backbone",
            f"model, about = load_backbone({file!r}{allow})",
            about,
            "features = model(x).pooled",
        ]
    features = _EACH_FRAME if backbone.source == "frames" else "model(x)"
    return shared.state_lines(backbone.lines_for(format), file, about, features)
