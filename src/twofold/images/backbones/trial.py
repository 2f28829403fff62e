"""Printed lines run in the library they are for, where it is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable

from torch import Tensor, nn

from twofold.errors import clause
from twofold.images.backbones.residual import Residual

_PACKAGES = {  # format: (module, name of the distribution)
    "detectron2": ("detectron2", "detectron2"),
    "mmdet": ("mmdet.models", "mmdet"),
    "mmseg": ("mmseg.models", "mmsegmentation"),
    "smp": ("segmentation_models_pytorch", "segmentation-models-pytorch"),
    "transformers": ("transformers", "transformers"),
    "ultralytics": ("ultralytics", "ultralytics"),
}


def why_not(format: str) -> str:
    """Why the library of a format cannot be asked here; "" where it can."""
    module = _PACKAGES[format][0]
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        return f"{format} is not installed"
    if format == "ultralytics":  # which changes settings of torch where it is used: it runs in a process of its own
        return ""
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever does not fit the library runs here
        return f"{format} {version(format)} cannot be imported ({clause(error)})"
    return ""


def version(format: str) -> str:
    """The version of the library of a format, or "(unknown version)"."""
    try:
        return importlib.metadata.version(_PACKAGES[format][1])
    except importlib.metadata.PackageNotFoundError:
        return getattr(sys.modules.get(_PACKAGES[format][0]), "__version__", "(unknown version)")


def in_torchvision(shape: Residual, network: nn.Module) -> Callable[[Tensor], dict[str, Tensor]]:
    """torchvision's network of that shape with these weights, as a function of a batch."""
    plain = shape.build().eval()
    plain.load_state_dict(network.state_dict())
    return lambda x: {"features": plain(x)}
