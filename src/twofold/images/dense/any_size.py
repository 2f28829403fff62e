"""Backbones on pictures of any size and shape, and how their cells lie."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, clause
from twofold.images.backbones import Backbone
from twofold.images.backbones.from_timm import as_map
from twofold.nets.features import Grid


def patch_of(backbone: Backbone) -> int:
    """The side of a patch, of which padded pictures are multiples; 1 for networks that take any size."""
    patch = getattr(getattr(backbone.network, "patch_embed", None), "patch_size", None)
    patch = getattr(backbone.network, "patch_size", patch)
    return int(patch[0] if isinstance(patch, tuple) else patch or 1)


def grid_of(backbone: Backbone) -> Grid:
    """Where the cells of the last map lie. Raises UserError where there is no map."""
    if backbone.grid is None:
        raise UserError(f"{backbone.name} has no map of cells, only one vector an image: dense protocols need a map.")
    return backbone.grid


def fixed_size(backbone: Backbone) -> bool:
    """Whether the network was made for one size and needs its position embeddings interpolated for others."""
    network = backbone.network
    return _by_timm(network) or _by_torchvision(network)


class AnySize:
    """The last map of a backbone for padded pictures (B, 3, H, W) of any size: (B, C, rows, columns)."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._flexible: nn.Module | None = None

    def __call__(self, views: Tensor) -> Tensor:
        side, network = self.backbone.image_size, self.backbone.network
        try:
            if tuple(views.shape[2:]) == (side, side) or not fixed_size(self.backbone):
                found = self.backbone(views).map
            elif _by_torchvision(network):
                found = _torchvision_map(network, views)
            else:
                found = self._timm_map(views)
        except (RuntimeError, AssertionError, ValueError) as error:
            raise UserError(
                f"{self.backbone.name} does not run on pictures of {views.shape[3]} x {views.shape[2]} px "
                f"({clause(error)}): take a network that takes any size for dense protocols."
            ) from error
        if found is None:
            raise UserError(f"{self.backbone.name} has no map of cells: dense protocols need a map.")
        return found

    def _timm_map(self, views: Tensor) -> Tensor | None:
        if self._flexible is None:
            network: Any = copy.deepcopy(self.backbone.network).eval()
            embed = network.patch_embed
            if not network.dynamic_img_size:
                network.dynamic_img_size, embed.strict_img_size, embed.flatten = True, False, False
                embed.output_fmt = type(embed.output_fmt)("NHWC")
            self._flexible = network
        network = self._flexible
        channels = self.backbone.map_width
        assert channels is not None
        return as_map(network.forward_features(views), channels, getattr(network, "num_prefix_tokens", 0), views)


def _by_timm(network: Any) -> bool:
    return hasattr(network, "dynamic_img_size") and hasattr(network, "patch_embed") and hasattr(network, "pos_embed")


def _by_torchvision(network: Any) -> bool:
    return hasattr(network, "conv_proj") and hasattr(getattr(network, "encoder", None), "pos_embedding")


def _torchvision_map(network: Any, views: Tensor) -> Tensor:
    """torchvision's VisionTransformer with its position embeddings interpolated to the grid of the pictures."""
    patches = network.conv_proj(views)
    rows, columns = patches.shape[2:]
    tokens = torch.cat([network.class_token.expand(len(views), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    own = network.encoder.pos_embedding
    side = round((own.shape[1] - 1) ** 0.5)
    square = own[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    placed = F.interpolate(square, (rows, columns), mode="bicubic", antialias=True).flatten(2).transpose(1, 2)
    tokens = network.encoder.dropout(tokens + torch.cat([own[:, :1], placed], 1))
    last = network.encoder.ln(network.encoder.layers(tokens))
    return last[:, 1:].transpose(1, 2).unflatten(2, (rows, columns))
