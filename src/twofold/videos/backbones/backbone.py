"""One backbone over clips: a network by name, with its features, its width and the blueprint that makes it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.memory import WithinMemory
from twofold.nets.features import Features
from twofold.pixels.backbones.built import Built
from twofold.pixels.backbones.fitting import trying
from twofold.pixels.backbones.loading import admit, hold, rebuilt
from twofold.pixels.backbones.weights import fill, read_metadata, read_state
from twofold.videos.backbones.names import NAMES, PLAIN, RESIDUAL, find, is_own, shape_of
from twofold.videos.backbones.residual import STEMS, stage_maps

_REMEDY = "make the clips smaller or shorter, or choose another backbone"


class Backbone(nn.Module):
    """A network over clips without classifier.

    network: the library's own module with its own key names. width: channels of the pooled feature. map_width: channels
    of the map, or None. cells: (frames, rows, columns) of the map of a clip of `frames` frames and `clip_size` px, or
    None. stem: one of `residual.STEMS`, or "own". last_stage: "strided", or "dense" where the last stage halves frames
    alone.
    """

    def __init__(
        self,
        built: Built,
        name: str,
        *,
        clip_size: int,
        frames: int,
        stem: str,
        last_stage: str,
        notes: list[str],
    ) -> None:
        super().__init__()
        self.network = built.network
        self._features = built.features
        self.source, self.name, self.lines, self._asked = built.source, built.name, built.lines, name
        self.clip_size, self.frames = clip_size, frames
        self.stem, self.last_stage, self.notes = stem, last_stage, notes
        features = self.try_on(frames, clip_size)
        self.width: int = features.pooled.shape[1]
        self.map_width: int | None = None if features.map is None else features.map.shape[1]
        self.cells: tuple[int, ...] | None = None if features.map is None else tuple(features.map.shape[2:])

    def forward(self, x: Tensor) -> Features:
        """(B, 3, T, H, W) normalised float -> Features: map (B, C', T', H', W') or None, pooled (B, C)."""
        return self._features(self.network, x)

    @property
    def has_stages(self) -> bool:
        """Whether `stages` gives anything: residual networks."""
        return all(hasattr(self.network, part) for part in ("stem", "layer1", "layer2", "layer3", "layer4"))

    def stages(self, x: Tensor) -> list[Tensor]:
        """(B, 3, T, H, W) -> the maps of the four stages of a residual network, each (B, C_i, T_i, H_i, W_i).

        Raises UserError for any other network.
        """
        if not self.has_stages:
            raise UserError(f"{self.name} has no stages; choose a residual network, such as r2plus1d18.")
        return stage_maps(self.network, x)

    def blueprint(self) -> dict[str, Any]:
        """What `rebuild_backbone` needs: {"name", "stem", "last_stage", "clip_size", "frames"}."""
        return {
            "name": self._asked,
            "stem": self.stem,
            "last_stage": self.last_stage,
            "clip_size": self.clip_size,
            "frames": self.frames,
        }

    def lines_for(self, library: str) -> list[str]:
        """Python that makes this network, untrained and without classifier, as `model` in "torchvision".

        Raises UserError where the library has no such network.
        """
        if library == "torchvision" and self.source in ("torchvision", "frames"):
            return self.lines
        if library == "torchvision" and self._asked == "r3d18" and (self.stem, self.last_stage) == ("3x7x7", "strided"):
            make = "model = torchvision.models.video.r3d_18()"
            return ["import torch, torchvision", make, "model.fc = torch.nn.Identity()"]
        raise UserError(
            f"{library} has no network {self._asked} with the same weights; export it to safetensors or onnx."
        )

    def describe(self) -> str:
        """One line for the log."""
        millions = sum(p.numel() for p in self.parameters()) / 1e6
        origin = {"own": "your own", "frames": "torchvision, frame by frame"}.get(self.source, self.source)
        stem = f"; {STEMS[self.stem]}" if self.stem in STEMS else ""
        dense = "; last stage not strided in space" if self.last_stage == "dense" else ""
        made = f"{self.name} ({origin}{stem}{dense}) for {self.frames} frames of {self.clip_size} px"
        return "; ".join([f"{made}, {self.width} features, {millions:.1f} M parameters", *self.notes])

    def try_on(self, frames: int, side: int) -> Features:
        """What it makes of a black clip of `frames` frames of side x side px; UserError where it does not run."""
        one, many = (f"{word} of {frames:,} frames of {side:,} px" for word in ("a clip", "clips"))
        with trying(self.network, self.name, one, many, _REMEDY):
            return self._features(self.network, torch.zeros(1, 3, frames, side, side))


def build_backbone(
    name: str,
    *,
    clip_size: int,
    frames: int,
    stem: str = "auto",
    last_stage: str = "strided",
    weights: str | None = None,
) -> Backbone:
    """A backbone over clips by name.

    name: `r3d18`, `r3d26`, `r2plus1d10`, `r2plus1d18`, `r2plus1d26`, `resnet3d10`, `c3d`, `s3d`, `i3d`, the small
    `r3d10-small`, `r2plus1d10-small` and `convnet3d`, `torchvision:NAME` (its networks for clips), `frames:NAME` (its
    networks for pictures, frame by frame), or `package.module:callable`. clip_size (side in px), frames (of a clip):
    what the network is made and checked for. stem: auto, 3x7x7, 7x7x7 (with a max-pool) or 3x3x3 in R3D and ResNet3D.
    last_stage: dense keeps height and width in the last stage of our residual networks. weights: None or "random",
    "torchvision" (its pretrained weights, downloaded), or the path of a local checkpoint or of a run folder. Raises
    UserError for unknown names, sizes the network does not take, and weights that do not fit.
    """
    pretrained = weights if weights == "torchvision" else None
    with WithinMemory(f"{name} for clips of {frames:,} frames of {clip_size:,} px", _REMEDY):
        built = find(name, clip_size, frames, stem=stem, last_stage=last_stage, pretrained=pretrained)
    notes = []
    if built.pretrained is not None:
        notes.append(f"pretrained: {fill(built.network, built.pretrained, f'The pretrained {name}')}")
    elif weights not in (None, "random"):
        notes.append(f"from {weights}: {fill(built.network, read_state(str(weights)), str(weights))}")
    chosen = shape_of(name, stem, last_stage).stem if name in RESIDUAL else "own"
    asked = name if name in NAMES or built.source == "own" else f"{built.source}:{built.name}"
    return Backbone(built, asked, clip_size=clip_size, frames=frames, stem=chosen, last_stage=last_stage, notes=notes)


def rebuild_backbone(blueprint: dict[str, Any]) -> Backbone:
    """The untrained backbone that `Backbone.blueprint` describes."""
    return build_backbone(blueprint["name"], **{key: blueprint[key] for key in _SETTINGS})


_SETTINGS = ("clip_size", "frames", "stem", "last_stage")


def load_backbone(path: str | Path, *, trust: bool | str = False) -> tuple[Backbone, dict[str, Any]]:
    """A backbone over clips that twofold wrote (`backbone.safetensors`), in evaluation mode, and what its file says.

    The second is the file's metadata: "backbone" (the blueprint), "mean", "std", "clip_size", "frames", "method",
    "twofold". trust: allow a file that names a module by import path, which is then imported and called, or one such
    path; a file from a stranger should not choose what runs. Raises UserError for a file that twofold did not write.
    """
    about = read_metadata(path, sizes=("clip_size", "frames"), texts=("name", "stem", "last_stage"))
    blueprint = about["backbone"]
    name = blueprint["name"]
    admit(path, name, trust=trust, own=is_own(name), plain=PLAIN)
    if not is_own(name):
        settings = {key: blueprint[key] for key in _SETTINGS}
        hold(path, name, lambda: find(name, **settings, pretrained=None).network)
    return rebuilt(path, name, lambda: rebuild_backbone(blueprint)).eval(), about
