"""A trained backbone as a file that other libraries load, checked by running the very lines that load it."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from twofold.errors import UserError, clause, nearest
from twofold.files import beside, write_safetensors
from twofold.images.backbones import targets, trial, yolo
from twofold.images.backbones.names import is_own
from twofold.nets.features import Features
from twofold.printable import is_text

SUFFIXES = {
    "torchvision": ".safetensors", "timm": ".safetensors", "safetensors": ".safetensors", "onnx": ".onnx",
    **targets.SUFFIXES,
}  # fmt: skip
FORMATS = tuple(SUFFIXES)
TOLERANCE = {name: 1e-4 if name == "onnx" else 1e-5 for name in FORMATS}


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
    """path: the file, or for transformers the folder. lines: Python that loads it and, for a batch `x`, computes
    `features` (B, C), or `map` (B, C, h, w), or both. difference: the largest difference between those and the
    backbone's own on 4 random images, as a share of the largest; None where nothing could be compared. checked: what
    was compared, in words.
    """

    path: Path
    lines: list[str]
    difference: float | None
    checked: str


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
    """Write `backbone` to `out` for one of `FORMATS`; "safetensors" is for twofold itself.

    The lines that load the file are run, where the library that they are for is installed, and what they compute is
    compared with the backbone's: relative difference at most 1e-5 (1e-4 for onnx), at batch sizes 4 and 1, else nothing
    is left at `out`. Where it is not, `Exported.checked` says so. Raises UserError for an unknown format, a network the
    library does not have, a missing extra, or a failed check.
    """
    if format not in FORMATS:
        raise UserError(f'There is no export format "{format}"; choose {", ".join(FORMATS)}.{nearest(format, FORMATS)}')
    out = _place(Path(out), format)
    reference = (
        copy.deepcopy(backbone).cpu().train(False)
    )  # the lines run on the CPU, and so must what they are compared with
    if format in targets.SUFFIXES:
        return _export_to_target(reference, out, format, mean, std, _about(backbone, mean, std, method, facts))
    with beside(out) as part:
        lines = _lines(backbone, part, format, mean, std)
        if format == "onnx":
            _write_onnx(reference, part, _about(backbone, mean, std, method, facts))
        else:
            save_backbone(reference, part, mean=mean, std=std, method=method, facts=facts)
        difference = _check(reference, lambda x: trial.run(lines, x.numpy() if format == "onnx" else x))
        _refuse_other_features(difference, format, out)
    return Exported(out, _lines(backbone, out, format, mean, std), difference, "the lines below were run")


def _place(out: Path, format: str) -> Path:
    """The path with the ending that the format has."""
    suffix = SUFFIXES[format]
    out = out if out.suffix else out.with_suffix(suffix)
    if suffix and out.suffix != suffix:
        raise UserError(f"A {format} export is a {suffix} file, which {out} is not; name it {out.stem}{suffix}.")
    if not suffix and out.exists() and not out.is_dir():
        raise UserError(f"A {format} export is a folder, and {out} is a file: name another place by --out.")
    if not is_text(str(out)):
        raise UserError(f"{out} is no UTF-8, and other libraries could not open it: name another place by --out.")
    return out


def _refuse_other_features(difference: float, format: str, out: Path) -> None:
    if not difference <= TOLERANCE[format]:
        raise UserError(
            f"{format} gives other features from {out} (relative difference {difference:.1e}); nothing was written."
        )


def _export_to_target(
    reference: Exportable, out: Path, format: str, mean: Sequence[float], std: Sequence[float], about: dict[str, str]
) -> Exported:
    """Try the files in a folder of their own, then write them."""
    prepared = targets.prepare(format, targets.Source(reference, mean, std, {"format": "pt", **about}))
    difference, reason = None, trial.why_not(format)
    if prepared.shape is not None:
        difference = _check(reference, trial.in_torchvision(prepared.shape, reference.network))
        if not difference <= TOLERANCE[format]:
            raise UserError(
                f"{reference.blueprint()['name']} has the weights of a plain ResNet and computes something else, which "
                f"{format} would not: export it to the library it comes from, safetensors or onnx."
            )
    if reason:
        checked = f"{reason}, so the lines below were not run"
        if difference is not None:
            checked += f"; torchvision's {prepared.shape} with these weights agrees with the backbone"
    else:
        with tempfile.TemporaryDirectory() as folder:
            tried = Path(folder) / f"tried{SUFFIXES[format]}"
            prepared.write(tried)
            try:
                found = _tried(reference, format, prepared.lines(tried), mean, std)
            except UserError:
                raise
            except Exception as error:  # the lines and the library run here
                raise UserError(
                    f"{format} {trial.version(format)} does not load the file ({clause(error)}): nothing was written."
                ) from error
        _refuse_other_features(found, format, out)
        difference = max(found, difference or 0.0)
        checked = f"the lines below were run in {format} {trial.version(format)} and agree with the backbone"
    prepared.write(out)
    about_input = [] if format == "ultralytics" else [_about_input(reference, mean, std)]  # it normalises by itself
    lines = [*about_input, *prepared.lines(out)]
    return Exported(out, lines, difference, checked)


def _tried(reference: Exportable, format: str, lines: list[str], mean: Sequence[float], std: Sequence[float]) -> float:
    """The largest relative difference of what the lines compute in the library of the format."""
    if format != "ultralytics":
        return _check(reference, lambda x: trial.run(lines, x))
    colours = [torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std)]
    with tempfile.TemporaryDirectory() as folder:
        raw = _example(reference) * colours[1] + colours[0]
        maps = yolo.maps_after_set_up(lines, raw, Path(folder))
    return max(_check(reference, lambda x, map=map: {"map": map[: len(x)]}) for map in maps)  # type: ignore[misc]


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


def _about_input(backbone: Exportable, mean: Sequence[float], std: Sequence[float]) -> str:
    size = backbone.image_size
    numbers = [", ".join(f"{float(v):.4g}" for v in values) for values in (mean, std)]
    return f"# x: float32 (B, 3, {size}, {size}), RGB in [0, 1], minus ({numbers[0]}), over ({numbers[1]})"


def _lines(backbone: Exportable, path: Path, format: str, mean: Sequence[float], std: Sequence[float]) -> list[str]:
    file, about = str(path), _about_input(backbone, mean, std)
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


def _check(backbone: Exportable, run: Callable[[Tensor], Mapping[str, Tensor]]) -> float:
    """The largest relative difference of what `run` makes of random images from the backbone's own features and map."""
    x, worst = _example(backbone), 0.0
    for batch in (x, x[:1]):
        with torch.no_grad():
            own = backbone(batch)
            found = run(batch)
        for name, got in found.items():
            want = own.pooled if name == "features" else own.map
            if want is None or got.shape != want.shape:
                return float("inf")
            worst = max(worst, ((got - want).abs().max() / want.abs().max().clamp_min(1e-12)).item())
    return worst if found else float("inf")
