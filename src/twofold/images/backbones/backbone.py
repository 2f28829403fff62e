"""One backbone: a network by name, with its features, its width and the blueprint that makes it again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from twofold.errors import UserError
from twofold.images.backbones import small
from twofold.images.backbones.grid import features_and_grid
from twofold.images.backbones.inputs import line_for, with_channels
from twofold.images.backbones.names import PLAIN, find, in_other_library, is_own
from twofold.images.backbones.stages import stages_of
from twofold.images.backbones.stems import STEMS, apply_stem, choose_stem, has_stem, zero_last_norms
from twofold.memory import WithinMemory
from twofold.nets.features import Features, Grid
from twofold.pixels.backbones.built import Built
from twofold.pixels.backbones.fitting import trying
from twofold.pixels.backbones.loading import admit, hold, rebuilt
from twofold.pixels.backbones.weights import fill, read_metadata, read_state
from twofold.pixels.batch import RGB


class Backbone(nn.Module):
    """A network without classifier.

    network: the library's own module with its own key names. channels: of its input, 3 for RGB. width: channels of the
    pooled feature. map_width: channels of the map, or None. grid: where the cells of the map lie in pictures of
    `image_size`, or None. stem: "imagenet", "stl", "cifar", or "own" where the network has no such stem. stage: of a
    ResNet, 1 to 4, whose map is given; 0 for the last map of the network (see `take_stage`).
    """

    def __init__(self, built: Built, stem: str, image_size: int, notes: list[str], channels: int = RGB) -> None:
        super().__init__()
        self.channels = channels
        self.network = built.network
        self._features = built.features
        self.source, self.name, self.lines = built.source, built.name, built.lines
        self.stem, self.image_size, self.notes = stem, image_size, notes
        features, self.grid = self._tried(image_size)
        self.width: int = features.pooled.shape[1]
        self.map_width: int | None = None if features.map is None else features.map.shape[1]
        self.stage = 0

    def forward(self, x: Tensor) -> Features:
        """(B, channels, H, W) normalised float -> Features."""
        return self._features(self.network, x)

    def take_stage(self, stage: int) -> None:
        """Give the map of a stage of a ResNet, 1 to 4, from now on; what is pooled stays that of the last stage.

        Raises UserError where the network has no such stages.
        """
        run = stages_of(self.network, self._features, stage, self.image_size, self.channels)
        if run is None:
            raise UserError(
                f"{self.name} has no stage {stage} as ResNets have stages 1 to 4: leave feature_stage at 0, or take a "
                f"ResNet."
            )
        self._features, self.stage = run, stage
        features, self.grid = self._tried(self.image_size)
        self.map_width = cast(Tensor, features.map).shape[1]

    def blueprint(self) -> dict[str, Any]:
        """What `rebuild_backbone` needs: {"name", "stem", "image_size"}, and "channels" where it is not RGB."""
        name = (
            self.name if self.source in ("own", "twofold") or self.name in small.NAMES else f"{self.source}:{self.name}"
        )
        channels = {} if self.channels == RGB else {"channels": self.channels}
        return {"name": name, "stem": self.stem, "image_size": self.image_size, **channels}

    def lines_for(self, library: str) -> list[str]:
        """Python that makes this network, untrained and without classifier, as `model` in "torchvision" or "timm".

        The ResNets exist in both with the same key names. Raises UserError where the library has no such network.
        """
        if library == self.source:
            return self.lines
        make = in_other_library(self.network, self.name, library)
        if make is None:
            others = f"{self.source}, " if self.source in ("torchvision", "timm") else ""
            raise UserError(
                f"{library} has no network {self.name} with the same weights; export it to {others}safetensors or onnx."
            )
        changed = self.channels != RGB or self.stem in ("cifar", "stl")
        first = [line_for(self.network, "conv1")] if changed else []
        return [*make, *first, *(line for line in self.lines if line.startswith("model.maxpool"))]

    def describe(self) -> str:
        """One line for the log."""
        millions = sum(p.numel() for p in self.parameters()) / 1e6
        stem = f", {STEMS[self.stem]} for {self.image_size} px" if self.stem in STEMS else ""
        origin = {"own": "your own", "twofold": "twofold"}.get(self.source, self.source)
        return "; ".join(
            [f"{self.name} ({origin}{stem}), {self.width} features, {millions:.1f} M parameters", *self.notes]
        )

    def try_on(self, side: int) -> Features:
        """What it makes of a black image of side x side pixels; UserError where it does not run on that."""
        return self._tried(side)[0]

    def grid_at(self, side: int) -> Grid | None:
        """Where the cells of the map lie in pictures of side x side pixels, or None where there is no map."""
        return self._tried(side)[1]

    def _tried(self, side: int) -> tuple[Features, Grid | None]:
        seen = "" if self.channels == RGB else f" and {self.channels} channels"
        one, many = f"an image of {side:,} px{seen}", f"images of {side} px{seen}"
        with trying(self.network, self.name, one, many, "give a smaller --image-size"):
            return features_and_grid(self.network, partial(self._features, self.network), side, self.channels)


def build_backbone(
    name: str,
    *,
    image_size: int,
    stem: str = "auto",
    weights: str | None = None,
    zero_init_residual: bool = False,
    channels: int = RGB,
) -> Backbone:
    """A backbone by name.

    name: `resnet18` (torchvision first, then timm), `torchvision:NAME`, `timm:NAME`, `resnet10`, `convnet`, or
    `package.module:callable`. image_size: px, what the network is made and checked for. stem: auto, imagenet, stl or
    cifar (ResNets only). weights: None or "random", "torchvision" or "timm" (their pretrained weights, downloaded), or
    the path of a local checkpoint or of a run folder. zero_init_residual: the last norm of each residual block starts
    at zero (SimCLR, SimSiam). channels: of its input; weights of RGB are mapped to others: see `inputs.with_channels`.
    Raises UserError for unknown names, sizes the network does not take, and weights that do
    not fit.
    """
    pretrained = weights if weights in ("torchvision", "timm") else None
    with WithinMemory(f"{name} for images of {image_size:,} px", "give a smaller --image-size, or another backbone"):
        built = find(name, image_size, pretrained, channels)
    chosen, notes = "own", []
    if has_stem(built.network):
        chosen = choose_stem(stem, image_size)
    elif stem not in ("auto", "own", "imagenet"):
        raise UserError(f"The stem {stem} exists for ResNets only; leave it at auto for {name}.")
    elif built.source in ("torchvision", "timm") and image_size <= 72:
        notes.append(f"its own stem, unchanged at {image_size} px")
    if zero_init_residual and zero_last_norms(built.network):
        notes.append("last norms start at zero")
    built.lines.extend(apply_stem(built.network, chosen))
    if built.pretrained is not None or weights not in (None, "random"):
        given = read_state(str(weights)) if built.pretrained is None else built.pretrained
        origin = f"The pretrained {name}" if built.pretrained is not None else str(weights)
        state, mapped = with_channels(given, built.network)
        said = "pretrained" if built.pretrained is not None else f"from {weights}"
        notes.append(f"{said}: {fill(built.network, state, origin)}")
        if mapped:
            notes.append(f"first kernels those of RGB, repeated over {channels} channels")
    return Backbone(built, chosen, image_size, notes, channels)


def rebuild_backbone(blueprint: dict[str, Any]) -> Backbone:
    """The untrained backbone that `Backbone.blueprint` describes."""
    return build_backbone(
        blueprint["name"],
        image_size=blueprint["image_size"],
        stem=blueprint["stem"],
        channels=blueprint.get("channels", RGB),
    )


def load_backbone(path: str | Path, *, trust: bool | str = False) -> tuple[Backbone, dict[str, Any]]:
    """A backbone that twofold wrote (`backbone.safetensors`), in evaluation mode, and what its file says about it.

    The second is the file's metadata: "backbone" (the blueprint), "mean", "std", "image_size", "method", "twofold".
    trust: allow a file that names a module by import path, which is then imported and called, or one such path; a file
    from a stranger should not choose what runs. Raises UserError for a file that twofold did not write.
    """
    about = read_metadata(path)
    blueprint = about["backbone"]
    name = blueprint["name"]
    admit(path, name, trust=trust, own=is_own(name), plain=PLAIN)
    if not is_own(name):
        channels = blueprint.get("channels", RGB)
        hold(path, name, lambda: find(name, blueprint["image_size"], None, channels).network)
    backbone = rebuilt(path, name, lambda: rebuild_backbone(blueprint))
    return backbone.eval(), about
