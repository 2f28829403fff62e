"""`load` on images: a backbone as a network of one's own, with the transform that goes before it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.images.backbones import Backbone
from twofold.images.evaluation.features import InputSettings, extract
from twofold.images.jobs.model import Model, open_for
from twofold.images.options import Load
from twofold.images.reading import Images, Source, open_source
from twofold.images.reading.decode import decode, resized_side
from twofold.images.reading.layout import COLOURS
from twofold.images.reading.measured import unpacked
from twofold.images.reading.objects import Objects, pixels_of
from twofold.images.reading.pixels import PixelRule
from twofold.images.reading.source import is_image
from twofold.pixels.backbones.from_torchvision import torchvision
from twofold.runs.screen import progress_bar


class ToRGB:
    """An image in any form that `objects.pixels_of` takes, upright -> uint8 (3, H, W) of RGB, or uint8 or uint16
    (C, H, W) where channels are kept. rule: what its levels and channels mean. Raises DecodeError where it cannot be
    read."""

    def __init__(self, rule: PixelRule) -> None:
        self.rule = rule

    def __call__(self, image: Any) -> Tensor:
        pixels = pixels_of(image, self.rule.channels)
        return decode(unpacked(pixels) if isinstance(pixels, bytes) else pixels, None, self.rule)

    def __repr__(self) -> str:
        return f"ToRGB({self.rule})"


class ImageModel(nn.Module):
    """A backbone without classifier. `model(x)` is its pooled feature.

    transform: of torchvision.transforms.v2, for an image as a path, bytes, Pillow's image, array or tensor: the very
    one of `twofold embed`. backbone: the network inside. width: C of its features. image_size: px of the square input.
    inputs: size, normalisation, device and precision. pixels: the rule by which images are read. name: as it was named.
    """

    def __init__(self, model: Model, pixels: PixelRule) -> None:
        super().__init__()
        self.backbone: Backbone = model.backbone
        self.inputs: InputSettings = model.inputs
        self.pixels, self.name = pixels, model.name
        self.width, self.image_size = model.backbone.width, model.inputs.size
        v2 = torchvision_v2()
        self.transform = v2.Compose(
            [
                ToRGB(pixels),
                v2.Resize(resized_side(self.image_size), antialias=True),
                v2.CenterCrop(self.image_size),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(self.inputs.mean, self.inputs.std),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """float32 (B, channels, H, W), of `transform` -> (B, C)."""
        return self.backbone(x).pooled

    def map(self, x: Tensor) -> Tensor:
        """float32 (B, channels, H, W), of `transform` -> the last map (B, C', h, w). UserError where there is none."""
        found = self.backbone(x).map
        if found is None:
            raise UserError(f"{self.backbone.name} gives no map, only a vector for each image.")
        return found

    def encode(self, images: Any, *, quiet: bool = False) -> Tensor:
        """A vector for each image, float32 (n, C) on the CPU: those of `twofold embed`, in the order of the images.

        images: data as for `pretrain` (a folder, a list file, parquet ...), or an image or several: a list of paths, of
        Pillow's images or of arrays, an array or tensor (n, H, W), (n, H, W, C) or (n, C, H, W), or a map-style data
        set. Raises UserError where an image cannot be read.
        """
        source = source_of(images, self.pixels.channels)
        source.pixels = self.pixels
        read = Images(source, short_side=self.image_size, device=self.inputs.device, memory_bytes=0, max_unreadable=0.0)
        with progress_bar("encoding", quiet) as on_progress:
            return extract(self.backbone, read, self.inputs, on_progress=on_progress)


def source_of(images: Any, channels: int | None = None) -> Source:
    """The images of a path, or those that are there already; see `ImageModel.encode`. channels: of each, where they are
    kept."""
    if isinstance(images, str | os.PathLike):
        path = os.path.expanduser(os.fspath(images))
        if is_image(Path(path).name):
            return Objects([path], channels=channels)
        return open_source(path, role="all", channels=channels)
    one = isinstance(images, bytes) or hasattr(images, "getexif") or getattr(images, "ndim", 0) in (2, 3)
    if one and not (getattr(images, "ndim", 0) == 3 and _holds_grey(images, channels)):
        return Objects([images], channels=channels)
    return Objects(images, channels=channels)


def _holds_grey(images: Any, channels: int | None) -> bool:
    """Whether an array of three dimensions holds grey images, (n, H, W), and is not one of several channels."""
    return not {int(images.shape[0]), int(images.shape[2])} & ({channels} if channels else set(COLOURS))


def torchvision_v2() -> Any:
    """torchvision's transforms, imported late because they cost half a second."""
    torchvision()
    from torchvision.transforms import v2

    return v2


def run(model: str, options: Load) -> ImageModel:
    """See `api.load`."""
    opened = open_for(model, options)
    fourth = opened.pixels.fourth if options.fourth_channel == "auto" else options.fourth_channel
    white = opened.pixels.white if options.white is None else options.white
    deep = opened.pixels.deep or options.white is not None
    return ImageModel(opened, replace(opened.pixels, white=white, fourth=fourth, deep=deep)).eval()
