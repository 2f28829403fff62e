"""Images through a backbone: features in the order asked for, and which of them to trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twofold.images.reading import Images
from twofold.pixels.views.views import evaluation_view
from twofold.resources import require
from twofold.runs.screen import OnProgress


@dataclass(frozen=True)
class InputSettings:
    """How images reach a backbone in evaluation.

    size: px of the square input. mean, std: its normalisation, for each channel in [0, 1]. precision: "fp32" or "bf16"
    (autocast). batch_size: images at a time where nothing is learned.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: torch.device | str = "cpu"
    precision: str = "fp32"
    batch_size: int = 256

    def autocast(self) -> torch.autocast:
        """The context in which the backbone runs."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16")


def stream_features(
    backbone: nn.Module, images: Images, inputs: InputSettings, indices: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """(indices, features) batch by batch: int64 (b,) and float32 (b, width), on the CPU, in the order of `indices`.

    Each image is seen once, as its centre crop (Images.centres), by the backbone in evaluation mode, which is
    put back into its own mode at the end. indices: default all images.
    """
    order = torch.arange(len(images)) if indices is None else indices
    at_once = min(len(order), inputs.batch_size)
    what, values = f"{at_once:,} images at a time, of {inputs.size:,} px,", len(inputs.mean) * inputs.size**2
    require(4 * at_once * values, what, "give a smaller --image-size or --batch-size", inputs.device)
    parts = order.split(inputs.batch_size)
    training = backbone.training
    backbone.eval()
    try:
        for part, batch in zip(parts, images.centres(inputs.size).stream(parts), strict=True):
            view = evaluation_view(batch.to(inputs.device), inputs.mean, inputs.std)
            with torch.no_grad(), inputs.autocast():
                pooled = backbone(view.contiguous(memory_format=torch.channels_last)).pooled
            yield part, pooled.float().cpu()
    finally:
        backbone.train(training)


def extract(
    backbone: nn.Module,
    images: Images,
    inputs: InputSettings,
    *,
    indices: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> Tensor:
    """All features as one float32 (n, width) tensor on the CPU, n = len(indices) or len(images).

    on_progress(done, total) is called after each batch. An unreadable image has the feature of its replacement: see
    `readable`.
    """
    total = len(images) if indices is None else len(indices)
    rows: list[Tensor] = []
    done = 0
    for _, part in stream_features(backbone, images, inputs, indices):
        rows.append(part)
        done += len(part)
        if on_progress:
            on_progress(done, total)
    return torch.cat(rows)


def readable(images: Images, indices: Tensor) -> Tensor:
    """bool (n,): False where the image turned out unreadable, so that its row belongs to a replacement.

    Known only once the images have been read.
    """
    return torch.tensor([i not in images.replaced for i in indices.tolist()], dtype=torch.bool)
