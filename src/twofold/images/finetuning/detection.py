"""Faster and Mask R-CNN as protocols: what is learned from, batch norm's rule, and the test by VOC's and COCO's AP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
import torchvision
from torch import Tensor, nn

from twofold.errors import UserError
from twofold.images.finetuning import coco
from twofold.images.finetuning.augment import Example, draw_numbers, vary_objects
from twofold.images.finetuning.bodies import Start
from twofold.images.finetuning.coco import CocoScore, cap_for, run_lengths
from twofold.images.finetuning.data import place
from twofold.images.finetuning.detectors import build_detector
from twofold.images.finetuning.norms import batch_norms, recalibrate
from twofold.images.finetuning.precision import Detections, VocScore
from twofold.images.finetuning.presets import TRAINABLE_FROM, Detection
from twofold.images.finetuning.protocol import Measured, Situation
from twofold.images.finetuning.training import Work, drawing
from twofold.images.labels.geometry import visible
from twofold.images.labels.records import Instances, Labelled
from twofold.runs.screen import OnProgress

Targets = dict[str, Tensor]
Batch = tuple[list[Tensor], list[Targets], int]  # pictures uint8, what is on them, objects cut away
TOGETHER = 16  # pictures that batch norm sees at once where its statistics are counted


@dataclass(frozen=True)
class Counts:
    """Of a labelled set: objects of each picture (crowds left out), crowds, difficult objects, the classes seen, and
    whether every object has a mask."""

    objects: list[int]
    crowds: int
    difficult: int
    classes: set[int]
    masks: bool


def count(data: Labelled, masks: bool) -> Counts:
    """Look at every label once. Raises UserError where masks are needed and missing."""
    objects, crowds, difficult, all_masks = [], 0, 0, True
    classes: set[int] = set()
    for i in range(len(data)):
        found = data.instances(i)
        if masks and found.masks is None:
            raise UserError(f"{data.name} has boxes without masks ({data.names[i]}): use faster-rcnn, or give masks.")
        all_masks = all_masks and found.masks is not None
        objects.append(int((~found.crowd).sum()))
        crowds += int(found.crowd.sum())
        difficult += int(found.difficult.sum())
        classes |= set(found.classes[~found.crowd].tolist())
    return Counts(objects, crowds, difficult, classes, all_masks)


class DetectionTask:
    """`protocol.Task` for "faster-rcnn" and "mask-rcnn". keep_empty: pictures without objects are learned from, too;
    they are always in the test. Raises UserError where the labels do not do."""

    def __init__(self, situation: Situation, keep_empty: bool = False) -> None:
        coco.tools()
        self.situation, self.preset = situation, cast(Detection, situation.preset)
        self.masks = situation.protocol == "mask-rcnn"
        self.learned, self.asked = (count(data, self.masks) for data in (situation.train, situation.test))
        full = [i for i, objects in enumerate(self.learned.objects) if objects]
        self.rows = list(range(len(situation.train))) if keep_empty else full
        self.cap = cap_for([*self.learned.objects, *self.asked.objects])
        self.fixed = self.preset.batch < TRAINABLE_FROM
        self.tally = {"lost": 0}
        for data, known in ((situation.train, self.learned), (situation.test, self.asked)):
            if not any(known.objects):
                raise UserError(f"{data.name} has no object on any picture: give data with some.")

    def build(self, start: Start) -> nn.Module:
        """See `protocol.Task`."""
        classes, given = len(self.situation.train.classes), self.situation.given
        return build_detector(start, self.preset, classes, masks=self.masks, cap=self.cap, given=given)

    def work(self, model: nn.Module) -> Work[Batch]:
        """See `protocol.Task`."""
        tally = {"lost": 0}

        def loss_of(batch: Batch) -> Tensor:
            tally["lost"] += batch[2]
            return sum(self._losses(model, batch).values(), torch.zeros((), device=self.situation.device))

        def prepare() -> None:
            if self.fixed:
                self._calibrate(model)

        self.tally = tally
        seed = self.situation.seed
        return Work(model, self.preset, self.batch, loss_of, prepare, seed, self.fixed, decays_norms=False, tally=tally)

    def batch(self, step: int) -> Batch:
        """The batch of a step: the same in any process, and after a stop."""
        pictures, targets, lost = [], [], 0
        for position in range(step * self.preset.batch, (step + 1) * self.preset.batch):
            i = self.rows[place(len(self.rows), self.situation.seed, position)]
            data = self.situation.train
            objects = data.instances(i)
            example = Example(data.picture(i), objects.select(~objects.crowd))
            example = vary_objects(example, self.preset, draw_numbers(self.situation.seed, position, 6))
            assert example.objects is not None
            target, small = self._target(example.objects)
            pictures.append(example.picture)
            targets.append(target)
            lost += example.lost + small
        return pictures, targets, lost

    def finish(self, model: nn.Module) -> None:
        """See `protocol.Task`."""
        if not self.fixed:
            self._calibrate(model)

    def test(self, model: nn.Module, on_progress: OnProgress | None) -> Measured:
        """See `protocol.Task`."""
        test, classes = self.situation.test, len(self.situation.train.classes)
        voc, boxes = VocScore(classes), CocoScore(classes, cap=self.cap)
        masks = CocoScore(classes, "segm", self.cap) if self.masks else None
        for i, (found, size) in enumerate(self._answers(model)):
            truth = test.instances(i)
            voc.add(truth, found)
            boxes.add(test.names[i], size, truth, found)
            if masks is not None:
                masks.add(test.names[i], size, truth, found)
            if on_progress:
                on_progress(i + 1, len(test))
        by_box, eleven = boxes.result(), voc.result()
        metrics = by_box.named("coco") | (masks.result().named("coco-mask") if masks else {})
        lead = self.situation.usual.name == "voc-c4-24k"
        metrics = eleven.named("voc07-11pt") | metrics if lead else metrics | eleven.named("voc07-11pt")
        main = (eleven if lead else by_box.precision).by_class.mean(1)
        names = self.situation.train.classes
        by_class = {name: None if value != value else float(value) for name, value in zip(names, main, strict=True)}
        missing = [name for name, value in metrics.items() if value != value]
        return Measured({m: v for m, v in metrics.items() if v == v}, by_class, self._notes(by_class, missing))

    def words(self, start: Start) -> list[str]:
        """See `protocol.Task`."""
        preset, learned, train = self.preset, self.learned, self.situation.train
        head = "FPN" if preset.head == "fpn" else "C4 with an extra batch norm"
        sides = f"short side {preset.short_sides[-1]} px (at most {preset.long_side})"
        out = [f"{head} on {start.backbone.name}", sides, self._norm_rule(start)]
        out.append(f"at most {self.cap} detections an image")
        out.append(f"sizes by the areas of {'masks' if self.asked.masks else 'boxes'}")
        if empty := len(train) - len(self.rows):
            out.append(f"{empty} of {len(train)} training images without objects left out")
        if learned.crowds or self.asked.crowds:
            out.append(f"{learned.crowds} crowds not learned from, {self.asked.crowds} in the test as COCO counts them")
        if self.asked.difficult:
            out.append(f"{self.asked.difficult} difficult objects: left out by voc07-11pt, counted by coco")
        return [*out, f"torchvision {torchvision.__version__}, {coco.tools().name}"]

    def _norm_rule(self, start: Start) -> str:
        if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in start.backbone.modules()):
            return "the backbone has no batch norm"
        images = self._passes() * self._together()
        if self.fixed:
            return f"batch norm: statistics of {images} training images, then fixed, alike for every start"
        return f"batch norm: trained, on one device; statistics of {images} training images before the test"

    def _notes(self, by_class: dict[str, float | None], missing: list[str]) -> list[str]:
        names = self.situation.train.classes
        notes = []
        if absent := [name for name, value in by_class.items() if value is None]:
            notes.append(f"none in test set: {', '.join(absent)}")
        if unlearned := [names[c] for c in range(len(names)) if c not in self.learned.classes]:
            notes.append(f"none in training set: {', '.join(unlearned)}")
        if missing:
            notes.append(f"none in test set, so no {', '.join(missing)}")
        if self.tally["lost"]:
            notes.append(f"{self.tally['lost']} objects in training cut away by windows or below a pixel")
        return notes

    def _target(self, objects: Instances) -> tuple[Targets, int]:
        kept = visible(objects)
        target = {"boxes": kept.boxes, "labels": kept.classes + 1}
        if self.masks and kept.masks is not None:
            target["masks"] = kept.masks.to(torch.uint8)
        return target, len(objects) - len(kept)

    def _losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        device = self.situation.device
        pictures = [picture.to(device).float() / 255 for picture in batch[0]]
        return model(pictures, [{name: value.to(device) for name, value in target.items()} for target in batch[1]])

    def _body(self, model: Any, batch: Batch) -> Any:
        pictures = [picture.to(self.situation.device).float() / 255 for picture in batch[0]]
        return model.backbone(model.transform(pictures)[0].tensors)

    def _together(self) -> int:
        """Pictures of one pass where statistics are counted: whole batches, about 16."""
        return self.preset.batch * max(TOGETHER // self.preset.batch, 1)

    def _passes(self) -> int:
        return max(round(self.preset.calibration / self._together()), 1)

    def _calibrate(self, model: nn.Module) -> None:
        """Statistics of batch norm over the first batches of the training."""
        if batch_norms(model):
            recalibrate(model, self._shows(model))

    def _shows(self, model: nn.Module) -> Iterator[Callable[[], Any]]:
        each = self._together() // self.preset.batch
        # Heads without a batch norm need not be run.
        body_alone = len(batch_norms(model)) == len(batch_norms(model.get_submodule("backbone")))
        show = self._body if body_alone else self._losses
        for k in range(self._passes()):
            parts = [self.batch(step) for step in range(k * each, (k + 1) * each)]
            pictures, targets = [p for part in parts for p in part[0]], [t for part in parts for t in part[1]]
            with drawing(self.situation.device, self.situation.seed, "fine-tuning statistics", k):
                yield partial(show, model, (pictures, targets, 0))

    def _answers(self, model: nn.Module) -> Iterator[tuple[Detections, tuple[int, int]]]:
        """What is found on each picture of the test, and the picture's (height, width)."""
        for i in range(len(self.situation.test)):
            picture = self.situation.test.picture(i)
            (found,) = model([picture.to(self.situation.device).float() / 255])
            found = {name: value.cpu() for name, value in found.items()}
            masks = run_lengths(found["masks"][:, 0] > 0.5, coco.tools()) if self.masks else None
            yield (
                Detections(found["boxes"], found["labels"] - 1, found["scores"], masks),
                (picture.shape[1], picture.shape[2]),
            )
