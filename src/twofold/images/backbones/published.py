"""Networks with the weights that their libraries publish, and how these want their pictures."""

from __future__ import annotations

from typing import Any

from twofold.errors import UserError
from twofold.images.backbones.backbone import Backbone, build_backbone
from twofold.images.backbones.from_timm import timm
from twofold.images.backbones.names import resolve
from twofold.pixels.backbones.from_torchvision import torchvision

PUBLISHED = ("timm:", "torchvision:")


def published_backbone(name: str, image_size: int | None = None) -> tuple[Backbone, dict[str, Any]]:
    """A network by its name in timm or torchvision with the weights published there, in evaluation mode, and what a
    file of it would say: "image_size", "mean", "std" and "method".

    image_size: px; that of the weights where None. Raises UserError where there are no such weights.
    """
    library, inner = resolve(name)
    size, mean, std = (_of_timm if library == "timm" else _of_torchvision)(name, inner)
    backbone = build_backbone(name, image_size=image_size or size, weights=library).eval()
    return backbone, {"image_size": image_size or size, "mean": mean, "std": std, "method": f"published ({library})"}


def _of_timm(name: str, inner: str) -> tuple[int, list[float], list[float]]:
    about = timm().get_pretrained_cfg(inner)
    if about is None or not about.has_weights:
        raise _none_published(name)
    return max(about.input_size[1:]), list(about.mean), list(about.std)


def _of_torchvision(name: str, inner: str) -> tuple[int, list[float], list[float]]:
    known = list(torchvision().models.get_model_weights(inner))
    if not known:
        raise _none_published(name)
    views = torchvision().models.get_model_weights(inner).DEFAULT.transforms()
    return views.crop_size[0], list(views.mean), list(views.std)


def _none_published(name: str) -> UserError:
    return UserError(f"There are no published weights of {name}; random:{name} is the untrained network.")
