"""FCN and DeepLabV3 as protocols: what is learned from, and the test at the size of the masks."""

from __future__ import annotations

from typing import cast

import torch
import torchvision
from torch import Tensor

from twofold.images.evaluation.iou import Confusion
from twofold.images.finetuning.augment import TRIES, Example, draw_numbers, fitted, scaled, vary_mask
from twofold.images.finetuning.bodies import Start
from twofold.images.finetuning.data import place
from twofold.images.finetuning.norms import refuse_one
from twofold.images.finetuning.presets import Segmentation
from twofold.images.finetuning.protocol import Measured, Situation
from twofold.images.finetuning.segmenters import Segmenter, answer, build_segmenter
from twofold.images.finetuning.training import Work
from twofold.runs.screen import OnProgress

ABSENT = "pixels-of-absent-classes"  # the share that is answered as a class without a true pixel: better low
Batch = tuple[Tensor, Tensor]  # uint8 (B, 3, S, S), int64 (B, S, S)


class SegmentationTask:
    """`protocol.Task` for "fcn" and "deeplabv3"."""

    def __init__(self, situation: Situation) -> None:
        self.situation, self.preset = situation, cast(Segmentation, situation.preset)
        situation.train.mask(0)  # refuses data without masks
        situation.test.mask(0)

    def build(self, start: Start) -> Segmenter:
        """See `protocol.Task`."""
        classes, given = len(self.situation.train.classes), self.situation.given
        model = build_segmenter(self.situation.protocol, start, self.preset, classes, given)
        refuse_one(self.situation.protocol, self.preset.batch, model)
        return model

    def work(self, model: Segmenter) -> Work[Batch]:
        """See `protocol.Task`."""

        def loss_of(batch: Batch) -> Tensor:
            return model.loss(self._normalised(batch[0]), batch[1].to(self.situation.device))

        return Work(model, self.preset, self.batch, loss_of, lambda: None, self.situation.seed)

    def batch(self, step: int) -> Batch:
        """The batch of a step: the same in any process, and after a stop."""
        made = []
        for position in range(step * self.preset.batch, (step + 1) * self.preset.batch):
            data, seed = self.situation.train, self.situation.seed
            i = place(len(data), seed, position)
            example = Example(data.picture(i), mask=data.mask(i))
            made.append(vary_mask(example, self.preset, draw_numbers(seed, position, 2 + 2 * TRIES)))
        masks = [one.mask for one in made if one.mask is not None]
        return torch.stack([one.picture for one in made]), torch.stack(masks).to(torch.int64).clamp(min=-1)

    def finish(self, model: Segmenter) -> None:
        """See `protocol.Task`."""

    def test(self, model: Segmenter, on_progress: OnProgress | None) -> Measured:
        """See `protocol.Task`."""
        test = self.situation.test
        counted = Confusion(self.situation.train.classes)
        for i in range(len(test)):
            picture, truth = test.picture(i), test.mask(i)
            shown = scaled(Example(picture), fitted((picture.shape[1], picture.shape[2]), self.preset.scale)).picture
            size = (truth.shape[0], truth.shape[1])
            counted.add(truth, answer(model, self._normalised(shown[None]), size).cpu())
            if on_progress:
                on_progress(i + 1, len(test))
        found = counted.scores()
        metrics, notes = {"mIoU": found.miou, "pixel-accuracy": found.pixel_accuracy}, []
        if found.absent:
            notes.append(f"none in test set: {', '.join(found.absent)}")
            metrics[ABSENT] = found.predicted_absent / max(int(counted.counts.sum()), 1)
        return Measured(metrics, found.per_class, notes)

    def words(self, start: Start) -> list[str]:
        """See `protocol.Task`."""
        preset = self.preset
        head = {"torchvision": "torchvision's head", "reference": "two convolutions of 512, joined"}[preset.head]
        head = "torchvision's head" if self.situation.protocol == "deeplabv3" else head
        whole = f"windows of {preset.window[0]} px every {preset.window[1]}" if preset.window else "whole image"
        return [
            f"{start.backbone.name} at {preset.stride} px a cell",
            head,
            f"tested at {preset.scale[1]} px ({whole}), answers at the size of the masks",
            "batch norm: trained, on one device",
            f"torchvision {torchvision.__version__}",
        ]

    def _normalised(self, pictures: Tensor) -> Tensor:
        device, given = self.situation.device, self.situation.given
        mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (given.mean, given.std))
        return (pictures.to(device).float() / 255 - mean) / std
