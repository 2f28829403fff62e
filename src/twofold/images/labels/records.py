"""What the rooms above know of labelled pictures: their instances, their masks, and what was odd in the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.errors import UserError

IGNORE = -1  # in masks


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
class Labelled:
    """Labelled pictures. Cheap to open; pictures and labels are read when asked for, safely from threads.

    name: the path as shown. classes: names, by number. names: one a picture, unique. findings: what was odd, counted, a
    sentence each. read_picture, read_mask, read_instances: the readers behind `picture`, `mask` and `instances`, None
    where such labels cannot be had.
    """

    name: str
    classes: tuple[str, ...]
    names: Sequence[str]
    findings: Sequence[str]
    read_picture: Callable[[int], Tensor]
    read_mask: Callable[[int], Tensor] | None = None
    read_instances: Callable[[int], Instances] | None = None

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
        return self.read_picture(i)

    def mask(self, i: int) -> Tensor:
        """int16 (H, W): 0..C-1 or IGNORE. Raises UserError where has_masks is False, or it cannot be read."""
        if self.read_mask is None:
            raise UserError(f"{self.name} has no masks, only boxes: use a detection protocol, or data with masks.")
        return self.read_mask(i)

    def instances(self, i: int) -> Instances:
        """The instances of a picture. Raises UserError where has_boxes is False, or they cannot be read."""
        if self.read_instances is None:
            raise UserError(f"{self.name} has no boxes, only masks: use a segmentation protocol, or data with boxes.")
        return self.read_instances(i)

    def select(self, rows: Sequence[int]) -> Labelled:
        """Some of the pictures, in this order."""
        rows = [range(len(self))[i] for i in rows]
        mask, instances = self.read_mask, self.read_instances
        return replace(
            self,
            names=[self.names[i] for i in rows],
            read_picture=lambda i: self.read_picture(rows[i]),
            read_mask=None if mask is None else lambda i: mask(rows[i]),
            read_instances=None if instances is None else lambda i: instances(rows[i]),
        )
