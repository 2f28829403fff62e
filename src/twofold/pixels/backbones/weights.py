"""Weights from a local file into a network, whatever prefix their names carry."""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError, clause
from twofold.files import plainly
from twofold.pixels.batch import MOST_CHANNELS, RGB

# A checkpoint may hold a network twice; of two equally good fits the one that learns by gradient is meant.
_TWINS = ("teacher", "encoder_k", "target", "momentum", "ema", "key")
_LONGEST = 4096  # pixels of a side, or frames, that a file may ask a network to be made for
_MOST = 1e6  # of a mean or a deviation
_BRIGHTEST = 1e12
_MAY_BE: dict[str, list[Any]] = {
    "fourth_channel": [None, "alpha", "drop"],
    "precision": ["fp32", "bf16"],
    "deep": [False, True],
}  # the first where it is missing


@dataclass(frozen=True)
class Loaded:
    """What a file gave: names of the network that were filled, left as they were, and file entries without a place."""

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    prefix: str

    def __str__(self) -> str:
        text = f"{len(self.matched)} weights loaded"
        text += f' (prefix "{self.prefix}" stripped)' if self.prefix else ""
        for word, found in (("missing", self.missing), ("not used", self.unexpected)):
            if found:
                text += f", {len(found)} {word} ({', '.join(found[:3])}{', ...' if len(found) > 3 else ''})"
        return text


def weights_file(path: str | Path) -> Path:
    """The file that weights are read from: of a run folder its backbone or, of an unfinished run, its checkpoint."""
    path = Path(path)
    if not os.path.isdir(path):
        return path
    files = [path / "backbone.safetensors", *(path / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous"))]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise UserError(f"{path} holds no backbone.safetensors and no checkpoint: give a run folder, or a file.")
    return found


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Every tensor in a .safetensors file, a torch checkpoint or a run folder, nested names joined by dots; nothing is
    unpickled."""
    path = weights_file(path)
    if not os.path.isfile(path):
        raise UserError(f'{path} does not exist: weights are "random", "torchvision", "timm", a file or a run folder.')
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            with plainly(path) as plain:
                return load_file(plain)
        with path.open("rb") as file:
            if file.read(262)[257:] == b"ustar":  # an old format, whose headers may loop
                raise ValueError("it is a tar file")
        return dict(_flatten(torch.load(path, map_location="cpu", weights_only=True)))
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds Python objects besides tensors, which twofold does not run; save its state dict alone, "
            "as safetensors or with torch.save."
        ) from error
    except Exception as error:
        raise UserError(f"{path} cannot be read as weights ({clause(error)}).") from error


def read_metadata(
    path: str | Path, *, sizes: Sequence[str] = ("image_size",), texts: Sequence[str] = ("name", "stem")
) -> dict[str, Any]:
    """What twofold wrote into a .safetensors file besides the tensors, each of its type.

    sizes: what says how large the input is, here and in the blueprint. texts: what else the blueprint holds. Raises
    UserError for anybody else's file, and where a value cannot be meant.
    """
    from safetensors import SafetensorError, safe_open

    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist: give a file that twofold wrote.")
    try:
        with plainly(path) as plain, safe_open(plain, "pt") as file:
            found = file.metadata() or {}
        about = {key: json.loads(value) for key, value in found.items() if key != "format"}
        missing = [key for key in ("mean", "std", *sizes, "backbone") if key not in about]
        cause: Exception | None = None
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        missing, cause = ["everything"], error
    if missing:
        raise UserError(
            f"{path} is not a backbone that twofold wrote; name the network and give this file as its weights instead."
        ) from cause
    about.setdefault("method", "")
    backbone = about["backbone"] if isinstance(about["backbone"], dict) else {}
    channels = backbone.get("channels", RGB)
    wrong = [] if type(channels) is int and 1 <= channels <= MOST_CHANNELS else ["backbone channels"]
    for name in ("mean", "std"):
        wrong += [] if _are_statistics(about[name], channels, above_zero=name == "std") else [name]
    wrong += [size for size in sizes if not _is_size(about[size])]
    wrong += [] if isinstance(about["method"], str) else ["method"]
    wrong += [name for name, may_be in _MAY_BE.items() if about.get(name, may_be[0]) not in may_be]
    white, black = about.get("white"), about.get("black", 0.0)
    wrong += [] if _is_level(black) else ["black"]
    wrong += [] if white is None or (_is_level(white) and _is_level(black) and white > black) else ["white"]
    wrong += [] if about.get("channels") in (None, channels) else ["channels"]
    wrong += [f"backbone {name}" for name in texts if not isinstance(backbone.get(name), str)]
    wrong += [f"backbone {size}" for size in sizes if not _is_size(backbone.get(size))]
    if wrong:
        raise UserError(
            f"{path} is damaged (its {wrong[0]} cannot be meant); name the network and give this file as its weights "
            "instead."
        )
    return about


def _are_statistics(value: Any, channels: Any, above_zero: bool) -> bool:
    """Whether a value is a number for each channel, such as an image is normalised by."""
    numbers = isinstance(value, list) and len(value) == channels and all(isinstance(v, int | float) for v in value)
    return numbers and all(abs(v) < _MOST and (v > 0 or not above_zero) for v in value)


def _is_level(value: Any) -> bool:
    """Whether a value is a level that may count as white or black."""
    return type(value) in (int, float) and abs(value) < _BRIGHTEST


def _is_size(value: Any) -> bool:
    """Whether a value is the side of an image in pixels, or the frames of a clip."""
    return type(value) is int and 1 <= value <= _LONGEST


def _flatten(value: Any, prefix: str = "") -> list[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        return [(prefix, value)]
    if not isinstance(value, Mapping):
        return []
    join = f"{prefix}." if prefix else ""
    return [found for key, inner in value.items() for found in _flatten(inner, f"{join}{key}")]


def fill(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> Loaded:
    """Copy what fits by name and shape into `network`, in place.

    The prefix under which most of the network's names are found is stripped. Raises UserError when fewer than half of
    the names find a place (batch counters not counted).
    """
    target = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    prefix = _best_prefix(state, target)
    found = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    fits = {k: v for k, v in found.items() if k in target and v.shape == target[k].shape}
    if 2 * len(fits) < len(target) or not fits:
        example = next((k for k in state), "nothing")
        raise UserError(
            f"{origin} does not belong to this network: {len(fits)} of {len(target)} weights have the right name and "
            f"shape (the file holds e.g. {example}, the network {next(iter(target))})."
        )
    counters = {k: v for k, v in found.items() if k.endswith("num_batches_tracked")}
    network.load_state_dict({**fits, **counters}, strict=False)
    missing = [k for k in target if k not in fits]
    unexpected = [k for k in found if k not in fits and k not in counters]
    return Loaded(sorted(fits), missing, unexpected, prefix)


def _best_prefix(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> str:
    votes: Counter[str] = Counter()
    for key, value in state.items():
        parts = key.split(".")
        for cut in range(len(parts)):
            name = ".".join(parts[cut:])
            if name in target and value.shape == target[name].shape:
                votes[key[: len(key) - len(name)]] += 1
    return min(votes, key=lambda p: (-votes[p], any(word in p for word in _TWINS), len(p)), default="")
