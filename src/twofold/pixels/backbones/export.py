"""A file for other libraries, left behind only if the very lines that load it give the backbone's own features."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.files import beside, write_safetensors
from twofold.nets.features import Features
from twofold.pixels.batch import RGB
from twofold.printable import is_text

SIZES = ("image_size", "clip_size", "frames")  # of the input that a network was made for, in its blueprint


class Exportable(Protocol):
    """What an export needs of a backbone of either kind."""

    network: nn.Module

    def __call__(self, x: Tensor) -> Features: ...
    def cpu(self) -> Any: ...
    def blueprint(self) -> dict[str, Any]: ...
    def lines_for(self, library: str) -> list[str]: ...


@dataclass(frozen=True)
class Exported:
    """path: the file, or for transformers the folder. lines: Python that loads it and, for a batch `x`, computes
    `features` (B, C), or `map` (B, C, ...), or both. difference: the largest difference between those and the
    backbone's own on 4 random inputs, as a share of the largest; None where nothing could be compared. checked: what
    was compared, in words.
    """

    path: Path
    lines: list[str]
    difference: float | None
    checked: str


def place(out: Path, format: str, suffix: str) -> Path:
    """The path with the ending that the format has ("" for a folder)."""
    out = out if out.suffix else out.with_suffix(suffix)
    if suffix and out.suffix != suffix:
        raise UserError(f"A {format} export is a {suffix} file, which {out} is not; name it {out.stem}{suffix}.")
    if not suffix and out.exists() and not out.is_dir():
        raise UserError(f"A {format} export is a folder, and {out} is a file: name another place by --out.")
    if not is_text(str(out)):
        raise UserError(f"{out} is no UTF-8, and other libraries could not open it: name another place by --out.")
    return out


def export_file(
    reference: Exportable,
    out: Path,
    x: Tensor,
    *,
    format: str,
    tolerance: float,
    write: Callable[[Path], object],
    lines: Callable[[Path], list[str]],
) -> Exported:
    """Write a file, run the lines that load it on `x` and on its first, and keep it if they agree with `reference`.

    reference: on the CPU and in evaluation mode. tolerance: of the relative difference.
    """
    with beside(out) as part:
        loading = lines(part)
        write(part)
        difference = check(reference, x, lambda x: run(loading, x.numpy() if format == "onnx" else x))
        refuse_other_features(difference, tolerance, format, out)
    return Exported(out, lines(out), difference, "the lines below were run")


def refuse_other_features(difference: float, tolerance: float, format: str, out: Path) -> None:
    """A UserError for a relative difference above the tolerance, or for none that is a number."""
    if not difference <= tolerance:
        raise UserError(
            f"{format} gives other features from {out} (relative difference {difference:.1e}); nothing was written."
        )


def run(lines: Sequence[str], x: Tensor | np.ndarray) -> dict[str, Tensor]:
    """What the lines make of a batch: "features", "map" or both."""
    scope: dict[str, Any] = {"x": x}
    exec("\n".join(lines), scope)
    return {name: torch.as_tensor(scope[name]) for name in ("features", "map") if name in scope}


def check(backbone: Exportable, x: Tensor, run: Callable[[Tensor], Mapping[str, Tensor]]) -> float:
    """The largest relative difference of what `run` makes of a batch, and of its first, from the backbone's."""
    worst = 0.0
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


def random_batch(*size: int) -> Tensor:
    """Four random inputs of a size, the same each time."""
    return torch.randn(4, *size, generator=torch.Generator().manual_seed(0))


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
    about = {"format": "pt", **described(backbone, mean, std, method, facts)}
    write_safetensors(Path(path), backbone.network.state_dict(), about)
    return Path(path)


def described(
    backbone: Exportable, mean: Sequence[float], std: Sequence[float], method: str, facts: Mapping[str, Any]
) -> dict[str, str]:
    """The metadata of a file that holds a backbone, each value as JSON."""
    blueprint = backbone.blueprint()
    known = {
        "twofold": version("twofold"),
        "backbone": blueprint,
        **{name: blueprint[name] for name in SIZES if name in blueprint},
        "mean": [float(m) for m in mean],
        "std": [float(s) for s in std],
        "method": method,
        **facts,
    }
    return {key: json.dumps(value) for key, value in known.items()}


def about_input(sizes: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> str:
    """A comment on what `x` is, for inputs (B, C, *sizes)."""
    numbers = [", ".join(f"{float(v):.4g}" for v in values) for values in (mean, std)]
    size, what = ", ".join(map(str, (len(mean), *sizes))), "RGB" if len(mean) == RGB else "channels"
    return f"# x: float32 (B, {size}), {what} in [0, 1], minus ({numbers[0]}), over ({numbers[1]})"


def onnx_lines(file: str, about: str, inputs: str) -> list[str]:
    """Python that runs an ONNX file on a numpy batch `x`; inputs: the name of its input."""
    return [
        "import onnxruntime",
        f"session = onnxruntime.InferenceSession({file!r}, providers=['CPUExecutionProvider'])",
        about.replace("# x: float32", "# x: numpy float32"),
        f"features = session.run(None, {{{inputs!r}: x}})[0]",
    ]


def state_lines(make: Sequence[str], file: str, about: str, features: str = "model(x)") -> list[str]:
    """Python that makes a network by `make`, fills it from a .safetensors file and computes `features`."""
    loading = f"model.load_state_dict(load_file({file!r}))"
    return [
        *make,
        "from safetensors.torch import load_file",
        loading,
        "model.eval()",
        about,
        f"features = {features}",
    ]


class _Pooled(nn.Module):
    def __init__(self, backbone: Exportable) -> None:
        super().__init__()
        self.backbone = backbone
        self.training = False

    def forward(self, inputs: Tensor) -> Tensor:
        return self.backbone(inputs).pooled


def write_onnx(backbone: Exportable, path: Path, x: Tensor, inputs: str, about: Mapping[str, str]) -> None:
    """The pooled features as an ONNX program of any batch size; inputs: the name of its input, which looks like `x`."""
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError("Export to ONNX needs the extra: pip install 'twofold[onnx]'.") from error
    program = torch.onnx.export(
        _Pooled(backbone),
        (x,),
        dynamo=True,
        dynamic_shapes={"inputs": {0: torch.export.Dim("batch")}},
        input_names=[inputs],
        output_names=["features"],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(about)
    program.save(str(path))
