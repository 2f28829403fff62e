"""A trained backbone as a file that other libraries load, checked by running the very lines that load it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from twofold.errors import UserError, nearest
from twofold.files import beside, write_safetensors
from twofold.images.backbones.names import is_own
from twofold.nets.features import Features
from twofold.printable import is_text

FORMATS = ("torchvision", "timm", "safetensors", "onnx")
TOLERANCE = {"torchvision": 1e-5, "timm": 1e-5, "safetensors": 1e-5, "onnx": 1e-4}


class Exportable(Protocol):
    """What export needs of a backbone (images.backbones.Backbone has it)."""

    network: nn.Module
    image_size: int

    def __call__(self, x: Tensor) -> Features: ...
    def cpu(self) -> Any: ...
    def blueprint(self) -> dict[str, Any]: ...
    def lines_for(self, library: str) -> list[str]: ...


@dataclass(frozen=True)
class Exported:
    """path: the file. lines: Python that loads it and, for a batch `x`, computes `features` (B, C). difference: the
    largest difference between those features and the backbone's own on 4 random images, as a share of the largest.
    """

    path: Path
    lines: list[str]
    difference: float


def save_backbone(
    backbone: Exportable,
    path: str | Path,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    method: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Write the network's own state dict as safetensors, with all it takes to use it as JSON in the metadata.

    mean, std: the normalisation of its input, in [0, 1] units. facts: what else the metadata say. The file is there
    whole or not at all.
    """
    about = {"format": "pt", **_about(backbone, mean, std, method, facts)}
    write_safetensors(Path(path), backbone.network.state_dict(), about)
    return Path(path)


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
    """Write `backbone` to the file `out` for "torchvision", "timm", "safetensors" (twofold itself) or "onnx".

    The lines that load the file are run and their features compared with the backbone's: relative difference at most
    1e-5 (1e-4 for onnx, at batch sizes 4 and 1), else nothing is left at `out`. Raises UserError for an unknown format,
    a network the library does not have, a missing extra, or a failed check.
    """
    if format not in FORMATS:
        raise UserError(f'There is no export format "{format}"; choose {", ".join(FORMATS)}.{nearest(format, FORMATS)}')
    suffix = ".onnx" if format == "onnx" else ".safetensors"
    out = Path(out) if Path(out).suffix else Path(out).with_suffix(suffix)
    if out.suffix != suffix:
        raise UserError(f"A {format} export is a {suffix} file, which {out} is not; name it {out.stem}{suffix}.")
    if not is_text(str(out)):
        raise UserError(f"{out} is no UTF-8, and other libraries could not open it: name another place by --out.")
    reference = (
        copy.deepcopy(backbone).cpu().train(False)
    )  # the lines run on the CPU, and so must what they are compared with
    with beside(out) as part:
        lines = _lines(backbone, part, format, mean, std)
        if format == "onnx":
            _write_onnx(reference, part, _about(backbone, mean, std, method, facts))
        else:
            save_backbone(reference, part, mean=mean, std=std, method=method, facts=facts)
        difference = _check(reference, lines, format)
        if not difference <= TOLERANCE[format]:
            raise UserError(
                f"{format} gives other features from {out} (relative difference {difference:.1e}); nothing was written."
            )
    return Exported(out, _lines(backbone, out, format, mean, std), difference)


def _about(
    backbone: Exportable, mean: Sequence[float], std: Sequence[float], method: str, facts: Mapping[str, Any]
) -> dict[str, str]:
    known = {
        "twofold": version("twofold"),
        "backbone": backbone.blueprint(),
        "image_size": backbone.image_size,
        "mean": [float(m) for m in mean],
        "std": [float(s) for s in std],
        "method": method,
        **facts,
    }
    return {key: json.dumps(value) for key, value in known.items()}


def _lines(backbone: Exportable, path: Path, format: str, mean: Sequence[float], std: Sequence[float]) -> list[str]:
    size, file = backbone.image_size, str(path)
    numbers = [", ".join(f"{float(v):.4g}" for v in values) for values in (mean, std)]
    about = f"# x: float32 (B, 3, {size}, {size}), RGB in [0, 1], minus ({numbers[0]}), over ({numbers[1]})"
    if format == "onnx":
        return [
            "import onnxruntime",
            f"session = onnxruntime.InferenceSession({file!r}, providers=['CPUExecutionProvider'])",
            about.replace("# x: float32", "# x: numpy float32"),
            "features = session.run(None, {'images': x})[0]",
        ]
    if format == "safetensors":
        allow = ", trust=True" if is_own(backbone.blueprint()["name"]) else ""
        return [
            "from twofold.images.backbones import load_backbone",
            f"model, about = load_backbone({file!r}{allow})",
            about,
            "features = model(x).pooled",
        ]
    return [
        *backbone.lines_for(format),
        "from safetensors.torch import load_file",
        f"model.load_state_dict(load_file({file!r}))",
        "model.eval()",
        about,
        "features = model(x)",
    ]


class _Pooled(nn.Module):
    def __init__(self, backbone: Exportable) -> None:
        super().__init__()
        self.backbone = backbone
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone(images).pooled


def _write_onnx(backbone: Exportable, path: Path, about: dict[str, str]) -> None:
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError("Export to ONNX needs the extra: pip install 'twofold[onnx]'.") from error
    x = _example(backbone)
    program = torch.onnx.export(
        _Pooled(backbone),
        (x,),
        dynamo=True,
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        input_names=["images"],
        output_names=["features"],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(about)
    program.save(str(path))


def _example(backbone: Exportable) -> Tensor:
    size = backbone.image_size
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))


def _check(backbone: Exportable, lines: list[str], format: str) -> float:
    """Run the lines on random images; the largest relative difference from the backbone's own features."""
    x, worst = _example(backbone), 0.0
    for batch in (x, x[:1]):
        with torch.no_grad():
            want = backbone(batch).pooled
            scope: dict[str, Any] = {"x": batch.numpy() if format == "onnx" else batch}
            exec("\n".join(lines), scope)
        got = torch.as_tensor(scope["features"])
        if got.shape != want.shape:
            return float("inf")
        worst = max(worst, ((got - want).abs().max() / want.abs().max().clamp_min(1e-12)).item())
    return worst
