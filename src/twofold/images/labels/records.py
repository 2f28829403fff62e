"""What the rooms above know of labelled pictures: their instances, their masks, and what was odd in the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.errors import UserError
from twofold.pixels.reading.words import digest

IGNORE = -1  # in masks
BACKGROUND = "background"


@dataclass(frozen=True)
class Instances:
    """The n labelled things of one picture, in pixels of the picture as `Labelled.picture` returns it.

    0-based, x to the right, y downwards; a pixel covers [x, x + 1). boxes: float32 (n, 4), left, top, right, bottom,
    inside the picture. classes: int64 (n,), 0..C-1. crowd: bool (n,), COCO's iscrowd. difficult: bool (n,), VOC's.
    masks: bool (n, H, W), or None where only boxes are given.
    """

    boxes: Tensor
    classes: Tensor
    crowd: Tensor
    difficult: Tensor
    masks: Tensor | None

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def areas(self) -> Tensor:
        """float32 (n,): pixels of the masks, or of the boxes where there are none; never what a file claims."""
        if self.masks is not None:
            return self.masks.flatten(1).sum(1).float()
        return (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])

    def select(self, rows: Tensor) -> Instances:
        """Those of a bool (n,) or int64 (k,) index, all fields by the one index."""
        masks = None if self.masks is None else self.masks[rows]
        return Instances(self.boxes[rows], self.classes[rows], self.crowd[rows], self.difficult[rows], masks)

    @staticmethod
    def none(height: int, width: int, masks: bool) -> Instances:
        """Of an empty picture: boxes (0, 4), masks (0, H, W)."""
        no = torch.zeros(0, dtype=torch.bool)
        return Instances(
            torch.zeros(0, 4),
            torch.zeros(0, dtype=torch.int64),
            no,
            no.clone(),
            torch.zeros(0, height, width, dtype=torch.bool) if masks else None,
        )


@dataclass(frozen=True)
class Tally:
    """How often a class occurs: `count` objects or pixels in so many pictures. value: as the file has it, a number or a
    colour; name: of the class, or "ignored"."""

    value: str
    name: str
    count: int
    pictures: int
    unit: str


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures. Cheap to open; pictures and labels are read when asked for, safely from threads.

    name: the path as shown. classes: names, by number. names: one a picture, unique. findings: what was odd, counted, a
    sentence each. tallies: classes with their counts. read_picture(i, short_side), read_mask, read_instances: the
    readers behind `picture`, `mask` and `instances`, None where such labels cannot be had. read_boxes: like
    read_instances, of all objects, also of those whose segmentation is missing or broken, and without masks. mark: a
    digest of pictures and labels by names, sizes and times of change.
    """

    name: str
    classes: tuple[str, ...]
    names: Sequence[str]
    findings: Sequence[str]
    read_picture: Callable[[int, int | None], Tensor]
    read_mask: Callable[[int], Tensor] | None = None
    read_instances: Callable[[int], Instances] | None = None
    read_boxes: Callable[[int], Instances] | None = None
    tallies: tuple[Tally, ...] = ()
    mark: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_masks(self) -> bool:
        """Whether semantic masks can be had: own masks, or made from instances with masks."""
        return self.read_mask is not None

    @property
    def has_boxes(self) -> bool:
        """Whether boxes can be had."""
        return self.read_instances is not None

    def picture(self, i: int) -> Tensor:
        """uint8 (3, H, W) RGB, turned as its labels are. Raises UserError where it cannot be read."""
        return self.read_picture(i, None)

    def thumbnail(self, i: int, short_side: int = 32) -> Tensor:
        """The same, shrunk while it is decoded, which is faster: uint8 (3, h, w)."""
        return self.read_picture(i, short_side)

    def mask(self, i: int) -> Tensor:
        """int16 (H, W): 0..C-1 or IGNORE. Raises UserError where has_masks is False, or it cannot be read."""
        self._need_masks()
        assert self.read_mask is not None
        return self.read_mask(i)

    def instances(self, i: int) -> Instances:
        """The instances of a picture. Raises UserError where has_boxes is False, or they cannot be read."""
        self._need_boxes()
        assert self.read_instances is not None
        return self.read_instances(i)

    def for_detection(self, masks: bool = False) -> Labelled:
        """The data as detectors take it: every object with its box, and no masks, which takes less time; with `masks`
        those objects alone that have a segmentation. Raises UserError where there are no boxes, or no such masks."""
        if not masks:
            self._need_boxes()
            return replace(self, read_instances=self.read_boxes or self.read_instances, read_mask=None)
        self._need_boxes()
        if self.read_mask is None:
            raise UserError(f"{self.name} has boxes but no masks: use faster-rcnn, or give data with segmentations.")
        return self

    def for_segmentation(self) -> Labelled:
        """The data as segmenters take it: every pixel has a class or is ignored.

        Where masks are made from objects, what no object covers becomes class 0, "background". Raises UserError where
        there are no masks.
        """
        self._need_masks()
        read = self.read_mask
        assert read is not None
        if self.read_instances is None:
            return self
        if BACKGROUND in self.classes:
            number = self.classes.index(BACKGROUND)
            return replace(self, read_mask=lambda i: _filled(read(i), number), read_instances=None)
        return replace(self, classes=(BACKGROUND, *self.classes), read_mask=lambda i: read(i) + 1, read_instances=None)

    def _need_masks(self) -> None:
        if self.read_mask is None:
            raise UserError(f"{self.name} has boxes but no masks: use a detection protocol, or data with masks.")

    def _need_boxes(self) -> None:
        if self.read_instances is None:
            raise UserError(f"{self.name} has masks but no boxes: use a segmentation protocol, or data with boxes.")

    def select(self, rows: Sequence[int]) -> Labelled:
        """Some of the pictures, in this order; the tallies stay those of all."""
        rows = [range(len(self))[i] for i in rows]
        picture, mask, instances, boxes = self.read_picture, self.read_mask, self.read_instances, self.read_boxes
        return replace(
            self,
            names=[self.names[i] for i in rows],
            mark=digest([self.mark, *rows]),
            read_picture=lambda i, side: picture(rows[i], side),
            read_mask=None if mask is None else lambda i: mask(rows[i]),
            read_instances=None if instances is None else lambda i: instances(rows[i]),
            read_boxes=None if boxes is None else lambda i: boxes(rows[i]),
        )


def _filled(mask: Tensor, number: int) -> Tensor:
    return mask.masked_fill(mask == IGNORE, number)
