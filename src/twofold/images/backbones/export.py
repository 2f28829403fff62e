"""A trained backbone as a file that other libraries load, checked by running the very lines that load it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor

from twofold.errors import UserError, clause, nearest
from twofold.images.backbones import targets, trial, yolo
from twofold.images.backbones.names import is_own
from twofold.pixels.backbones import export as shared
from twofold.pixels.backbones.export import Exported
from twofold.pixels.batch import RGB

SUFFIXES = {
    "torchvision": ".safetensors", "timm": ".safetensors", "safetensors": ".safetensors", "onnx": ".onnx",
    **targets.SUFFIXES,
}  # fmt: skip
FORMATS = tuple(SUFFIXES)
TOLERANCE = {name: 1e-4 if name == "onnx" else 1e-5 for name in FORMATS}


class Exportable(shared.Exportable, Protocol):
    """What export needs of a backbone (images.backbones.Backbone has it)."""

    image_size: int
    channels: int


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
    out = shared.place(Path(out), format, SUFFIXES[format])
    reference = (
        copy.deepcopy(backbone).cpu().train(False)
    )  # the lines run on the CPU, and so must what they are compared with
    about = shared.described(backbone, mean, std, method, facts)
    if format in targets.SUFFIXES:
        return _export_to_target(reference, out, format, mean, std, about)
    return shared.export_file(
        reference,
        out,
        _example(reference),
        format=format,
        tolerance=TOLERANCE[format],
        write=lambda path: (
            shared.write_onnx(reference, path, _example(reference), "images", about)
            if format == "onnx"
            else shared.save_backbone(reference, path, mean=mean, std=std, method=method, facts=facts)
        ),
        lines=lambda path: _lines(backbone, path, format, mean, std),
    )


def _export_to_target(
    reference: Exportable, out: Path, format: str, mean: Sequence[float], std: Sequence[float], about: dict[str, str]
) -> Exported:
    """Try the files in a folder of their own, then write them."""
    if reference.channels != RGB:
        raise UserError(
            f"{format} builds networks of RGB, and this one takes {reference.channels} channels: export it to "
            f"torchvision, timm, safetensors or onnx."
        )
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
        shared.refuse_other_features(found, TOLERANCE[format], format, out)
        difference = max(found, difference or 0.0)
        checked = f"the lines below were run in {format} {trial.version(format)} and agree with the backbone"
    prepared.write(out)
    about_input = [] if format == "ultralytics" else [_about_input(reference, mean, std)]  # it normalises by itself
    lines = [*about_input, *prepared.lines(out)]
    return Exported(out, lines, difference, checked)


def _tried(reference: Exportable, format: str, lines: list[str], mean: Sequence[float], std: Sequence[float]) -> float:
    """The largest relative difference of what the lines compute in the library of the format."""
    if format != "ultralytics":
        return _check(reference, lambda x: shared.run(lines, x))
    colours = [torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std)]
    with tempfile.TemporaryDirectory() as folder:
        raw = _example(reference) * colours[1] + colours[0]
        maps = yolo.maps_after_set_up(lines, raw, Path(folder))
    return max(_check(reference, lambda x, map=map: {"map": map[: len(x)]}) for map in maps)  # type: ignore[misc]


def _about_input(backbone: Exportable, mean: Sequence[float], std: Sequence[float]) -> str:
    return shared.about_input((backbone.image_size, backbone.image_size), mean, std)


def _lines(backbone: Exportable, path: Path, format: str, mean: Sequence[float], std: Sequence[float]) -> list[str]:
    file, about = str(path), _about_input(backbone, mean, std)
    if format == "onnx":
        return shared.onnx_lines(file, about, "images")
    if format == "safetensors":
        allow = ", trust=True" if is_own(backbone.blueprint()["name"]) else ""
        return [
            "from twofold.images.backbones import load_backbone",
            f"model, about = load_backbone({file!r}{allow})",
            about,
            "features = model(x).pooled",
        ]
    return shared.state_lines(backbone.lines_for(format), file, about)


def _example(backbone: Exportable) -> Tensor:
    return shared.random_batch(backbone.channels, backbone.image_size, backbone.image_size)


def _check(backbone: Exportable, run: Callable[[Tensor], Mapping[str, Tensor]]) -> float:
    return shared.check(backbone, _example(backbone), run)
