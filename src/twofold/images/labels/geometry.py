"""Instances through crops, flips and changes of size: one record, one filter for all its fields."""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.images.labels.pictures import nearest_rows
from twofold.images.labels.records import Instances

LEAST = 1.0  # pixels of a side below which nothing is left of a box


def crop(found: Instances, top: int, left: int, height: int, width: int) -> Instances:
    """What lies in a crop of the picture, in its pixels; what no longer shows is left out (see `visible`)."""
    shift = torch.tensor([left, top, left, top], dtype=torch.float32)
    most = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes = (found.boxes - shift).clamp_min(0).minimum(most)
    masks = None
    if found.masks is not None:
        masks = found.masks[:, top : top + height, left : left + width]
    return visible(_with(found, boxes, masks))


def mirror(found: Instances, width: int) -> Instances:
    """The instances of the picture mirrored left to right; width: of the picture in pixels."""
    left, top, right, bottom = found.boxes.unbind(1)
    boxes = torch.stack([width - right, top, width - left, bottom], 1)
    return _with(found, boxes, None if found.masks is None else found.masks.flip(-1))


def resize(found: Instances, old: tuple[int, int], new: tuple[int, int]) -> Instances:
    """The instances of the picture resized from `old` to `new` (height, width); masks by the nearest pixel."""
    y, x = new[0] / old[0], new[1] / old[1]
    boxes = found.boxes * torch.tensor([x, y, x, y])
    return visible(_with(found, boxes, None if found.masks is None else nearest_rows(found.masks, *new)))


def visible(found: Instances) -> Instances:
    """The instances of which something is left: a box of at least a pixel each way and, where there are masks, a pixel
    of the mask. With masks the box is drawn around what is left of the mask, where that is less than the box."""
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    keep = (sides >= LEAST).all(1)
    if found.masks is None:
        return found.select(keep)
    kept = found.select(keep & found.masks.flatten(1).any(1))
    assert kept.masks is not None
    around = boxes_around(kept.masks)
    low = torch.maximum(kept.boxes[:, :2], around[:, :2])
    high = torch.minimum(kept.boxes[:, 2:], around[:, 2:])
    drawn = torch.cat([low, high], 1)
    fits = (high - low >= LEAST).all(1, keepdim=True)  # a mask outside its box: the mask is believed
    return _with(kept, torch.where(fits, drawn, around), kept.masks)


def boxes_around(masks: Tensor) -> Tensor:
    """float32 (n, 4) around the pixels of bool (n, H, W), each with at least one."""
    out = torch.zeros(len(masks), 4)
    for axis, (first, last) in ((2, (1, 3)), (1, (0, 2))):  # rows, then columns
        lines = masks.any(axis)
        out[:, first] = lines.int().argmax(1)
        out[:, last] = lines.shape[1] - lines.flip(1).int().argmax(1)
    return out


def _with(found: Instances, boxes: Tensor, masks: Tensor | None) -> Instances:
    return Instances(boxes, found.classes, found.crowd, found.difficult, masks)
