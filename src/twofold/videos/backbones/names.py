"""A backbone's name to its network: ours, torchvision's for clips, its networks frame by frame, or the user's own."""

from __future__ import annotations

import re
from dataclasses import replace

from twofold.errors import UserError, nearest
from twofold.pixels.backbones import from_torchvision as pictures
from twofold.pixels.backbones import own
from twofold.pixels.backbones.built import Built
from twofold.pixels.backbones.names import downloading
from twofold.videos.backbones import from_torchvision
from twofold.videos.backbones.inception import I3D
from twofold.videos.backbones.plain import C3D, ConvNet3D, plain_features
from twofold.videos.backbones.residual import STEMS, ResidualVideo, Shape, residual_features

_SMALL = (16, 32, 64, 128)
RESIDUAL = {
    "r3d18": Shape(False, False, (2, 2, 2, 2)),
    "r2plus1d10": Shape(True, False, (1, 1, 1, 1), stem="2+1"),
    "r2plus1d18": Shape(True, False, (2, 2, 2, 2), stem="2+1"),
    "r3d26": Shape(False, True, (2, 2, 2, 2)),
    "r2plus1d26": Shape(True, True, (2, 2, 2, 2), stem="2+1"),
    "resnet3d10": Shape(False, False, (1, 1, 1, 1), stem="7x7x7"),
    "r3d10-small": Shape(False, False, (1, 1, 1, 1), _SMALL, stem="3x3x3"),
    "r2plus1d10-small": Shape(True, False, (1, 1, 1, 1), _SMALL, stem="2+1"),
}
_PLAIN = {"c3d": C3D, "i3d": I3D, "convnet3d": ConvNet3D}
_TWINS = {"r3d18": "torchvision:r3d_18", "r2plus1d18": "torchvision:r2plus1d_18", "s3d": "torchvision:s3d"}
NAMES = (*RESIDUAL, *_PLAIN, "s3d")
LAST_STAGES = ("strided", "dense")
PLAIN = re.compile(r"((torchvision|frames):)?[A-Za-z0-9_.-]{1,100}")


def find(name: str, clip_size: int, frames: int, *, stem: str, last_stage: str, pretrained: str | None) -> Built:
    """The network of this name for clips of `frames` frames of clip_size x clip_size px.

    stem: "auto" or one of `STEMS`; last_stage: one of `LAST_STAGES`; both for residual networks of ours. pretrained:
    "torchvision" or None; it must agree with where the network comes from.
    """
    source, inner = resolve(name)
    if pretrained and source not in ("torchvision", "frames"):
        others = f"; the backbone {_TWINS[name]} has" if name in _TWINS else ""
        raise UserError(f"{name} has no weights pretrained by {pretrained}{others}: use random ones, or a file.")
    if source == "twofold" and inner in RESIDUAL:
        return _residual(inner, stem, last_stage)
    _refuse_residual_settings(name, stem, last_stage)
    if source == "twofold":
        return from_torchvision.build_s3d() if inner == "s3d" else _plain(inner)
    if source == "own":
        return own.build(inner, {"clip_size": clip_size, "frames": frames}, "t, h, w")
    with downloading(name):
        if source == "frames":
            return from_torchvision.build_frames(inner, clip_size, pretrained is not None)
        return from_torchvision.build(inner, clip_size, frames, pretrained is not None)


def is_own(name: str) -> bool:
    """Whether a name is an import path, which runs code."""
    source, colon, _ = name.partition(":")
    return bool(colon) and source not in ("torchvision", "frames")


def resolve(name: str) -> tuple[str, str]:
    """(source, name inside the source), source being "twofold", "torchvision", "frames" or "own"."""
    if name in NAMES:
        return "twofold", name
    if is_own(name):
        return "own", name
    source, colon, inner = name.partition(":")
    known = pictures.names() if source == "frames" and colon else from_torchvision.names()
    if (inner or name) in known:
        return source if colon else "torchvision", inner or name
    if colon:
        what = "pictures" if source == "frames" else "clips"
        raise UserError(f'torchvision has no network "{inner}" for {what}.{nearest(inner, known)}')
    if name in pictures.names():
        raise UserError(f"{name} is a network for pictures: frames:{name} runs it on each frame of a clip.")
    raise UserError(f'There is no backbone "{name}" for clips.{nearest(name, [*NAMES, *known])}')


def shape_of(name: str, stem: str, last_stage: str) -> Shape:
    """The shape of one of `RESIDUAL` behind a stem."""
    shape = RESIDUAL[name]
    may_be = ["2+1"] if shape.factored else [known for known in STEMS if known != "2+1"]
    stem = shape.stem if stem == "auto" else stem
    if stem not in may_be:
        raise UserError(f'{name} has no stem "{stem}"; choose auto or {", ".join(may_be)}.{nearest(stem, may_be)}')
    if last_stage not in LAST_STAGES:
        raise UserError(f'The last stage is {" or ".join(LAST_STAGES)}, not "{last_stage}".')
    return replace(shape, stem=stem, dense=last_stage == "dense")


def _residual(name: str, stem: str, last_stage: str) -> Built:
    shape = shape_of(name, stem, last_stage)
    lines = ["from twofold.videos.backbones.residual import ResidualVideo, Shape", f"model = ResidualVideo({shape!r})"]
    return Built(ResidualVideo(shape), residual_features, "twofold", name, lines)


def _plain(name: str) -> Built:
    make = _PLAIN[name]
    lines = [f"from {make.__module__} import {make.__name__}", f"model = {make.__name__}()"]
    return Built(make(), plain_features, "twofold", name, lines)


def _refuse_residual_settings(name: str, stem: str, last_stage: str) -> None:
    if stem not in ("auto", "own"):
        raise UserError(f"{name} has its own stem: leave the stem at auto.")
    if last_stage != "strided":
        raise UserError(f"{name} has its own last stage: leave it at strided.")
