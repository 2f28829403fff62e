"""torchvision's networks for clips, classifier removed, with the last map in reach; and its networks for pictures, run
frame by frame."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from twofold.errors import UserError
from twofold.nets.features import Features
from twofold.pixels.backbones import from_torchvision as pictures
from twofold.pixels.backbones.built import Built, call
from twofold.videos.backbones.initial import initialise
from twofold.videos.backbones.residual import residual_features

_HEADS = {  # class: what is replaced, in its forward, so that the pooled feature comes out
    "VideoResNet": (("fc", "torch.nn.Identity()"),),
    "S3D": (("avgpool", "torch.nn.Identity()"), ("classifier", "torch.nn.Identity()")),
    "SwinTransformer3d": (("head", "torch.nn.Identity()"),),
    "MViT": (("head", "torch.nn.Identity()"),),
}
MVIT_CLIP = (16, 224)  # frames and px of the only clips that torchvision's MViT takes


def names() -> list[str]:
    """Every network of torchvision for clips."""
    package = pictures.torchvision()
    return package.models.list_models(module=package.models.video)


def build(name: str, clip_size: int, frames: int, pretrained: bool) -> Built:
    """A network of torchvision for clips by name, its classifier replaced so that the pooled feature comes out."""
    if name.startswith("mvit") and (frames, clip_size) != MVIT_CLIP:
        raise UserError(
            f"{name} takes clips of {MVIT_CLIP[0]} frames of {MVIT_CLIP[1]} px alone, not {frames} of {clip_size} px: "
            "give it those, or choose another backbone."
        )
    models = pictures.torchvision().models
    network = models.get_model_builder(name)()
    lines = ["import torch, torchvision", f"model = torchvision.models.video.{name}()", *_remove_head(network)]
    state = models.get_model_weights(name).DEFAULT.get_state_dict(progress=True) if pretrained else None
    return Built(network, run, "torchvision", name, lines, state)


def build_s3d() -> Built:
    """torchvision's S3D with He initialisation and with batch statistics that follow as fast as everywhere else.

    torchvision's own follow with momentum 0.001, and after a short training would still be those of the start.
    """
    models = pictures.torchvision().models
    network = models.get_model_builder("s3d")(norm_layer=partial(nn.BatchNorm3d, eps=1e-3))
    initialise(network)
    lines = ["import torch, torchvision", call("model = torchvision.models.video.s3d"), *_remove_head(network)]
    return Built(network, run, "torchvision", "s3d", lines)


def build_frames(name: str, clip_size: int, pretrained: bool) -> Built:
    """A network of torchvision for pictures, run on each frame; its features are averaged over time."""
    built = pictures.build(name, clip_size, pretrained)
    return Built(built.network, partial(each_frame, built), "frames", name, built.lines, built.pretrained)


def _remove_head(network: nn.Module) -> list[str]:
    lines = []
    for name, text in _HEADS[type(network).__name__]:
        setattr(network, name, nn.Identity())
        lines.append(f"model.{name} = {text}")
    return lines


def run(network: Any, x: Tensor) -> Features:
    """The map and the pooled feature of one of torchvision's networks; `pooled` equals network(x)."""
    kind = type(network).__name__
    if kind == "VideoResNet":
        return residual_features(network, x)
    if kind == "MViT":
        return _run_mvit(network, x)
    if kind == "S3D":
        last = network.features(x)
    else:
        last = network.norm(network.features(network.pos_drop(network.patch_embed(x)))).permute(0, 4, 1, 2, 3)
    return Features(last, last.mean((2, 3, 4)))


def _run_mvit(network: Any, x: Tensor) -> Features:
    """Its class token is the pooled feature, the other tokens are the map."""
    tokens = network.pos_encoding(network.conv_proj(x).flatten(2).transpose(1, 2))
    size = (network.pos_encoding.temporal_size, *network.pos_encoding.spatial_size)
    for block in network.blocks:
        tokens, size = block(tokens, size)
    tokens = network.norm(tokens)
    return Features(tokens[:, 1:].transpose(1, 2).unflatten(2, size), tokens[:, 0])


def each_frame(built: Built, network: nn.Module, x: Tensor) -> Features:
    """(B, 3, T, H, W) -> the maps of the frames, (B, C', T, h, w), and the mean of their pooled features, (B, C)."""
    features = built.features(network, x.transpose(1, 2).flatten(0, 1))
    pooled = features.pooled.unflatten(0, (x.shape[0], -1)).mean(1)
    if features.map is None:
        return Features(None, pooled)
    return Features(features.map.unflatten(0, (x.shape[0], -1)).transpose(1, 2), pooled)
