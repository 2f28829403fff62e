"""Networks for other numbers of channels than the three of RGB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.pixels.batch import RGB


def first_convolution(network: nn.Module) -> str | None:
    """The name of the convolution that sees RGB; None where the network begins otherwise."""
    convolutions = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    name, first = convolutions[0] if convolutions else ("", None)
    return name if first is not None and first.in_channels == RGB and first.groups == 1 else None


def take_channels(network: nn.Module, channels: int, name: str) -> list[str]:
    """Give the network a new first convolution for so many channels, in place; returns the Python lines that do the
    same to `model`.

    It has PyTorch's own initialisation. name: of the network. Raises UserError where it begins with none of RGB.
    """
    if channels == RGB:
        return []
    place = first_convolution(network)
    if place is None:
        raise UserError(f"{name} has no first convolution of RGB that could take {channels} channels: choose another.")
    old: Any = network.get_submodule(place)
    sizes = old.out_channels, old.kernel_size, old.stride, old.padding
    parent, _, child = place.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Conv2d(channels, *sizes, bias=old.bias is not None))
    return [line_for(network, place)]


def line_for(network: nn.Module, place: str) -> str:
    """Python that gives `model` a convolution like that of the network."""
    made: Any = network.get_submodule(place)
    sizes = made.in_channels, made.out_channels, made.kernel_size, made.stride, made.padding
    return f"{_spelled(place)} = torch.nn.Conv2d({', '.join(map(str, sizes))}, bias={made.bias is not None})"


def with_channels(state: Mapping[str, Tensor], network: nn.Module) -> tuple[dict[str, Tensor], bool]:
    """(weights, whether one was changed): those learned on RGB for a network of other channels, as timm maps them.

    The kernels of red, green and blue are repeated over the channels and scaled by 3 / channels; for one channel they
    are added up. Other weights stay as they are.
    """
    wanted = next((m.weight for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if wanted is None or wanted.shape[1] == RGB:
        return dict(state), False
    mapped = {
        key: _mapped(value, wanted.shape[1]) for key, value in state.items() if value.shape == _of_rgb(wanted.shape)
    }
    return {**state, **mapped}, bool(mapped)


def _of_rgb(shape: torch.Size) -> torch.Size:
    return torch.Size((shape[0], RGB, *shape[2:]))


def _mapped(kernel: Tensor, channels: int) -> Tensor:
    if channels == 1:
        return kernel.sum(1, keepdim=True)
    return kernel.repeat(1, -(-channels // RGB), 1, 1)[:, :channels] * (RGB / channels)


def _spelled(place: str) -> str:
    """The path of a module as Python: model.features[0][0]."""
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in place.split(".")]
    return "model" + "".join(parts)
