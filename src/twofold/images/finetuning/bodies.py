"""A backbone as the body of a detector or segmenter: its stages' maps, its weights without a missing key."""

from __future__ import annotations

import contextlib
import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.errors import UserError, clause
from twofold.images.backbones import Backbone, rebuild_backbone
from twofold.pixels.backbones.weights import fill, read_state
from twofold.randomness import derive

STAGES = ("layer1", "layer2", "layer3", "layer4")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Start:
    """Weights to start from, on the CPU. name: how results call it. state: of the backbone's network, by its own names.
    origin: where they come from, for sentences."""

    name: str
    backbone: Backbone
    state: Mapping[str, Tensor]
    origin: str


def start_of(backbone: Backbone, name: str) -> Start:
    """A backbone's own weights."""
    plain = copy.deepcopy(backbone).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Start(name, plain, plain.network.state_dict(), name)


def random_start(backbone: Backbone, name: str, seed: int) -> Start:
    """The same network with new random weights, a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "random network"))
        return start_of(rebuild_backbone(backbone.blueprint()), name)


def supervised_start(backbone: Backbone, name: str, weights: str) -> Start:
    """The same network with the weights of a checkpoint file. Raises UserError where one is missing."""
    other = rebuild_backbone(backbone.blueprint())
    loaded = fill(other.network, read_state(weights), weights)
    _refuse_missing(loaded.missing, weights)
    return Start(name, other, other.network.state_dict(), weights)


def _refuse_missing(missing: Sequence[str], origin: str) -> None:
    if missing:
        more = ", ..." if len(missing) > 3 else ""
        raise UserError(
            f"{origin} lacks {len(missing)} of the backbone's weights ({', '.join(missing[:3])}{more}), which would "
            f"stay random without a word: give a checkpoint of the very same network."
        )


def load(part: nn.Module, state: Mapping[str, Tensor], origin: str, prefix: str = "") -> None:
    """Copy the weights of a part of the network, whose names in `state` begin with `prefix`.

    Raises UserError where one is missing or has another shape; the names of other parts may be there.
    """
    target = part.state_dict()
    found = {name: state[prefix + name] for name in target if prefix + name in state}
    bad = [
        prefix + name
        for name, tensor in target.items()
        if not name.endswith(_COUNTER) and (name not in found or found[name].shape != tensor.shape)
    ]
    _refuse_missing(bad, origin)
    part.load_state_dict({**target, **found})


def is_residual(backbone: Backbone) -> bool:
    """Whether a network is built like a ResNet, one stem and then four stages, and computes nothing else."""
    if not all(hasattr(backbone.network, name) for name in ("conv1", "bn1", "maxpool", *STAGES)):
        return False
    plain = copy.deepcopy(backbone).eval()
    x = torch.linspace(-2, 2, 3 * 64 * 64).sin().reshape(1, 3, 64, 64)
    try:
        with torch.no_grad():
            own, staged = plain(x).map, list(Stages(plain.network).eval()(x).values())[-1]
    except Exception:  # somebody's own network may need anything
        return False
    return own is not None and own.shape == staged.shape and torch.allclose(own, staged, rtol=1e-3, atol=1e-4)


class Stages(nn.Module):
    """The stages of a ResNet up to `last` under the network's own names: (B, 3, H, W) -> maps, finest first."""

    def __init__(self, network: nn.Module, last: str = "layer4") -> None:
        super().__init__()
        active = "relu" if hasattr(network, "relu") else "act1"
        self.stem = ("conv1", "bn1", active, "maxpool")
        self.stages = STAGES[: STAGES.index(last) + 1]
        for name in (*self.stem, *self.stages):
            setattr(self, name, copy.deepcopy(getattr(network, name)))

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        for name in self.stem:
            x = getattr(self, name)(x)
        maps = OrderedDict()
        for name in self.stages:
            x = maps[name] = getattr(self, name)(x)
        return maps


class LastMap(nn.Module):
    """Any other backbone's one map: (B, 3, H, W) -> {"map"}; pictures are padded to whole cells, by their border."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        _take_any_size(self.backbone.network)
        self.cell = _cell_of(self.backbone)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        padded = pad_to_cells(x, self.cell)
        found = self.backbone(padded).map
        if found is None:
            raise TypeError("it makes no map")
        return OrderedDict(map=found)


def pad_to_cells(x: Tensor, cell: int) -> Tensor:
    """Pictures (B, C, H, W) continued to the right and below by their mirror image, to multiples of `cell`."""
    down, right = -x.shape[2] % cell, -x.shape[3] % cell
    if not (down or right):
        return x
    mode = "reflect" if down < x.shape[2] and right < x.shape[3] else "replicate"
    return F.pad(x, (0, right, 0, down), mode)


def _cell_of(backbone: Backbone) -> int:
    """Pixels a cell of the last map; 1 where there is none."""
    for side in (224, backbone.image_size):
        with contextlib.suppress(UserError):
            found = backbone.try_on(side).map
            return 1 if found is None else round(side / found.shape[2])
    return 1


def _take_any_size(network: Any) -> None:
    """Let a ViT of timm interpolate its positions to any grid; others are as they are."""
    patches: Any = getattr(network, "patch_embed", None)
    if hasattr(network, "dynamic_img_size") and hasattr(patches, "strict_img_size"):
        network.dynamic_img_size = True
        patches.strict_img_size, patches.flatten = False, False
        patches.output_fmt = type(patches.output_fmt)("NHWC")


class Body(nn.Module):
    """The body in its precision: pictures -> float32 maps by name. channels, strides: of each map.

    cell: pixels to whose multiples pictures are padded.

    precision: "fp32" or "bf16" (autocast of the body alone; heads and losses are float32).
    """

    def __init__(self, inner: Stages | LastMap, name: str, precision: str, side: int) -> None:
        super().__init__()
        self.inner, self.precision = inner, precision
        self.cell = inner.cell if isinstance(inner, LastMap) else 1
        maps = self._try_on(name, side)
        self.channels = {key: value.shape[1] for key, value in maps.items()}
        self.strides = {key: max(round(side / value.shape[2]), 1) for key, value in maps.items()}

    def _try_on(self, name: str, side: int) -> Mapping[str, Tensor]:
        """The maps of a black picture, higher than the body's own and not square. Raises UserError."""
        device = next(self.inner.parameters()).device
        try:
            with torch.no_grad():
                return self.inner.eval()(torch.zeros(1, 3, side, side * 3 // 2, device=device))
        except Exception as error:
            raise UserError(
                f"The backbone {name} does not take pictures of any size and shape ({type(error).__name__}: "
                f"{clause(error)}): detection and segmentation need one that does, such as resnet18."
            ) from error
        finally:
            self.inner.train()

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            maps = self.inner(x)
        return OrderedDict((name, value.float()) for name, value in maps.items())


def body_of(start: Start, precision: str = "fp32", last: str = "layer4") -> Body:
    """The body of a start, with its weights. last: the last stage of a ResNet that belongs to it."""
    backbone = start.backbone
    if is_residual(backbone):
        inner: Stages | LastMap = Stages(backbone.network, last)
        load(inner, start.state, start.origin)
        return Body(inner, backbone.name, precision, 96)
    whole = LastMap(backbone)
    load(whole.backbone.network, start.state, start.origin)
    return Body(whole, backbone.name, precision, 8 * max(whole.cell, 8))


def dilate(body: Body, most: int) -> None:
    """Take the strides beyond `most` pixels out of a ResNet's stages and dilate what follows, in place.

    Its map then holds the cells of the strided map at every second or fourth place, and the cells between: the first
    3x3 convolution of a stage works at the dilation before it ("contract"), later ones at the full. Another backbone
    stays as it is. Raises UserError for shortcuts that pool.
    """
    if not isinstance(body.inner, Stages):
        return
    dilation = 1
    for name in body.inner.stages:
        if body.strides[name] > most:
            for block in getattr(body.inner, name):
                dilation = _dilate_block(block, dilation)
    body.strides = {name: min(stride, most) for name, stride in body.strides.items()}


def _dilate_block(block: nn.Module, dilation: int) -> int:
    """Returns the dilation after the block."""
    for name, layer in block.named_modules():
        shortcut = name.startswith("downsample")
        if shortcut and isinstance(layer, nn.AvgPool2d):
            raise UserError(
                "The backbone pools in its shortcuts, which cannot be dilated: use one with plain ones, as resnet50."
            )
        if isinstance(layer, nn.Conv2d):
            stride, layer.stride = layer.stride[0], (1, 1)
            if layer.kernel_size != (1, 1):
                side = layer.kernel_size[0] // 2
                layer.dilation, layer.padding = (dilation, dilation), (side * dilation, side * dilation)
            dilation *= 1 if shortcut else stride
    return dilation
